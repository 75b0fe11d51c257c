import BudgetModel
import Testing

@testable import Reconciliation

/// When news of a dynamic budget is told, and others' asked for.
@Suite struct NewsPaceTests {
  private static let pace = NewsPace(ReconcilerSettings())
  private static let now = Timestamp(unixMilliseconds: 1_000_000)

  private static func later(_ milliseconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: now.unixMilliseconds + milliseconds)
  }

  private func isDue(
    _ unsent: Int128, of left: Int128?, waited: Int64 = 0, ends: Int64 = 3_600_000
  ) -> Bool {
    Self.pace.isDue(
      NewsPace.News(
        unsent: PicoUSD(pico: unsent), left: left.map { PicoUSD(pico: $0) },
        since: Self.later(-waited), end: Self.later(ends)), at: Self.now)
  }

  @Test func moreThanAHundredthOfWhatIsLeftIsToldAtOnce() {
    #expect(!isDue(10, of: 1_000))
    #expect(isDue(11, of: 1_000))
    #expect(isDue(1, of: 0) && isDue(1, of: -5))
    #expect(!isDue(1_000_000, of: nil))
    #expect(!isDue(0, of: 0))
  }

  @Test func theRestIsToldWithinTenSeconds() {
    // Passes are a second apart: the next one would be too late.
    #expect(!isDue(1, of: 1_000, waited: 8_999))
    #expect(isDue(1, of: 1_000, waited: 9_000))
    #expect(isDue(1, of: nil, waited: 9_000))
    // The store's clock went back.
    #expect(isDue(1, of: 1_000, waited: -1))
  }

  @Test func nothingWaitsForTheEndOfItsWindow() {
    #expect(!isDue(1, of: 1_000, ends: 10_001))
    #expect(isDue(1, of: 1_000, ends: 10_000))
    #expect(isDue(1, of: 1_000, ends: -1))
    #expect(Self.pace.isLastCall(Self.later(2_000), at: Self.now))
    #expect(!Self.pace.isLastCall(Self.later(2_001), at: Self.now))
  }

  @Test func questionsComeTheOftenerTheFasterWhatIsLeftGoes() {
    func wait(left: Double?, grown: Double) -> Duration {
      Self.pace.wait(
        left: left.map { PicoUSD(pico: Int128($0 * 1e12)) },
        grown: PicoUSD(pico: Int128(grown * 1e12)), passed: .seconds(2))
    }
    #expect(wait(left: 100, grown: 0) == .seconds(10))
    #expect(wait(left: nil, grown: 5) == .seconds(10))
    #expect(wait(left: 0, grown: 5) == .seconds(10))
    // A fiftieth of 100 $ at half a dollar a second, seen twice.
    #expect(wait(left: 100, grown: 1) == .seconds(2))
    #expect(wait(left: 100, grown: 50) == .seconds(1))
  }

  @Test func anInstantTooFarAheadHasCome() {
    #expect(Self.pace.hasCome(Self.now, at: Self.now))
    #expect(!Self.pace.hasCome(Self.later(1), at: Self.now))
    #expect(!Self.pace.hasCome(Self.later(10_000), at: Self.now))
    #expect(Self.pace.hasCome(Self.later(10_001), at: Self.now))
  }
}
