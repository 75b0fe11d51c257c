import Testing

@testable import HTTPPort

@Suite struct ConnectionStandingTests {
  private static let millisecond: Int64 = 1_000_000

  @Test func eachHasItsMomentOfPeace() {
    let asking = ConnectionStanding.asking(since: 1_000, requestedAt: 0)
    #expect(asking.yieldsFrom == 1_000 + 100 * Self.millisecond)
    #expect(ConnectionStanding.longest([asking], at: asking.yieldsFrom - 1) == nil)
    #expect(ConnectionStanding.longest([asking], at: asking.yieldsFrom) == 0)
  }

  /// A reader is stalled after 0.1 s; one that takes a byte now and then has a second.
  @Test func readersMayNotTakeForEver() {
    let stalled = ConnectionStanding.reading(since: 0, progressAt: 0, requestedAt: 0)
    #expect(stalled.yieldsFrom == 100 * Self.millisecond)
    let trickling = ConnectionStanding.reading(
      since: 0, progressAt: 990 * Self.millisecond, requestedAt: 0)
    #expect(trickling.yieldsFrom == 1_000 * Self.millisecond)
  }

  /// Pages take long where there are many budgets: a second, while others wait.
  @Test func theSiteHasItsTime() {
    let standing = ConnectionStanding.answering(requestedAt: 0)
    #expect(ConnectionStanding.longest([standing], at: 999 * Self.millisecond) == nil)
    #expect(ConnectionStanding.longest([standing], at: 1_000 * Self.millisecond) == 0)
  }

  @Test func theLongestWithoutAWholeRequestGoes() {
    let now: Int64 = 10_000 * Self.millisecond
    let standings: [ConnectionStanding?] = [
      .asking(since: 9_000 * Self.millisecond, requestedAt: 8_000 * Self.millisecond),
      nil,
      .reading(
        since: 2_000 * Self.millisecond, progressAt: 9_990 * Self.millisecond,
        requestedAt: 2_000 * Self.millisecond),
      .answering(requestedAt: 9_001 * Self.millisecond),
      .asking(since: 9_950 * Self.millisecond, requestedAt: 0),
      .lingering(requestedAt: 3_000 * Self.millisecond),
    ]
    #expect(ConnectionStanding.longest(standings, at: now) == 2)
    #expect(ConnectionStanding.longest(standings.prefix(2), at: now) == 0)
    #expect(ConnectionStanding.longest(standings.dropFirst(3), at: now) == 2)
    #expect(ConnectionStanding.longest([], at: now) == nil)
  }
}
