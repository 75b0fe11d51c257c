import BudgetModel
import Testing

@testable import Sockets
@testable import TCPTransport

@Suite struct ConnectionTimesTests {
  private let limits = ConnectionTimes.Limits(.standard)
  private let second: Int64 = 1_000_000_000

  private func verdict(
    atSeconds seconds: Int64, plus nanoseconds: Int64 = 0,
    _ change: (inout ConnectionTimes) -> Void = { _ in }
  ) -> ConnectionTimes.Verdict? {
    var times = ConnectionTimes(openedAt: MonotonicInstant(nanoseconds: 0))
    change(&times)
    let now = MonotonicInstant(nanoseconds: seconds * second + nanoseconds)
    return times.verdict(at: now, limits)
  }

  @Test func idleAtFiveMinutesExactly() {
    #expect(verdict(atSeconds: 300, plus: -1) == nil)
    #expect(verdict(atSeconds: 300) == .idle)
    #expect(verdict(atSeconds: 300, plus: 1) == .idle)
    #expect(verdict(atSeconds: 900) { $0.awaitsReplies = true } == nil)
  }

  @Test func aFrameHasFiveSeconds() {
    let begin: (inout ConnectionTimes) -> Void = { $0.partialSince = .init(nanoseconds: 7) }
    #expect(verdict(atSeconds: 5, plus: 6, begin) == nil)
    #expect(verdict(atSeconds: 5, plus: 7, begin) == .frameTimedOut)
    // The frame's bound holds, not the idle one, and not for a connection that awaits replies.
    #expect(verdict(atSeconds: 900, begin) == .frameTimedOut)
  }

  @Test func aStallHasTenSeconds() {
    let stall: (inout ConnectionTimes) -> Void = { $0.stalledSince = .init(nanoseconds: 0) }
    #expect(verdict(atSeconds: 10, plus: -1, stall) == nil)
    #expect(verdict(atSeconds: 10, stall) == .stalled)
  }

  @Test func whoDoesNotSayWhoItIsHasUntilThen() {
    let stranger: (inout ConnectionTimes) -> Void = {
      $0.introduceBy = .init(nanoseconds: 5 * 1_000_000_000)
    }
    #expect(verdict(atSeconds: 5, plus: -1, stranger) == nil)
    #expect(verdict(atSeconds: 5, stranger) == .unintroduced)
    #expect(verdict(atSeconds: 5) { $0.introduceBy = .init(nanoseconds: .max) } == nil)
    // Neither a frame under way nor requests that wait give more time.
    let busy: (inout ConnectionTimes) -> Void = {
      stranger(&$0)
      $0.partialSince = .init(nanoseconds: 4 * 1_000_000_000)
      $0.awaitsReplies = true
    }
    #expect(verdict(atSeconds: 5, busy) == .unintroduced)
  }

  @Test func lingeringOverridesAll() {
    let linger: (inout ConnectionTimes) -> Void = {
      $0.stalledSince = .init(nanoseconds: 0)
      $0.partialSince = .init(nanoseconds: 0)
      $0.lingerUntil = .init(nanoseconds: 20 * 1_000_000_000)
    }
    #expect(verdict(atSeconds: 19, linger) == nil)
    #expect(verdict(atSeconds: 20, linger) == .lingered)
  }

  @Test func durationsThatDoNotFitAreForEver() {
    #expect(MonotonicInstant.now().advanced(by: .seconds(Int64.max)) == .never)
    #expect(Duration.seconds(Int64.max).nanoseconds == .max)
    #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
  }

  @Test func connectionIDsKeepTheirParts() {
    let id = ConnectionID(lane: LaneIndex(63), slot: 0xFF_FFFE, generation: .max)
    #expect(id.lane.number == 63)
    #expect(id.slot == 0xFF_FFFE)
    #expect(id.generation == .max)
  }
}
