import BudgetModel
import Testing

@testable import Reconciliation

/// Each way in which a reading of the store's clock can lie beside what was expected.
@Suite struct ClockTrustTests {
  private static let hour: Int64 = 3_600_000
  private static let start: Int64 = 1_795_000_000_000

  /// A node whose own clocks are right, and which has heard the store once.
  private final class Bench {
    var trust = ClockTrust(bound: .seconds(3_600))
    var passed: Int64 = 0

    init() { _ = believes(ahead: 0) }

    /// The store is `ahead` of this node's time, the wall clock `wallAhead`.
    func believes(
      ahead: Int64, wallAhead: Int64 = 0, uncertainty: Int64 = 1
    ) -> Bool {
      trust.believes(
        ClockTrust.Reading(
          store: start + passed + ahead, expected: start + passed,
          wall: start + passed + wallAhead, elapsed: passed, uncertainty: uncertainty))
    }

    /// Passes one second apart that all read `ahead`: after how many seconds one is believed.
    func secondsUntilBelieved(ahead: Int64, bound: Int64 = 200) -> Int64? {
      for second in 0..<bound {
        if believes(ahead: ahead) { return second }
        passed += 1_000
      }
      return nil
    }
  }

  @Test func aLifesFirstReadingIsNoJump() {
    var trust = ClockTrust(bound: .seconds(3_600))
    let believes = trust.believes(
      ClockTrust.Reading(
        store: 253_402_300_799_000, expected: Self.start, wall: Self.start, elapsed: 5,
        uncertainty: 1))
    #expect(believes)
  }

  @Test(arguments: [1, -1] as [Int64]) func theBound(_ sign: Int64) {
    let bench = Bench()
    #expect(bench.believes(ahead: sign * Self.hour))
    #expect(bench.believes(ahead: sign * (Self.hour + 1)))
    #expect(!bench.believes(ahead: sign * (Self.hour + 2)))
    // A difference that the way there and back may explain is not a jump.
    #expect(bench.believes(ahead: sign * (Self.hour + 500), uncertainty: 500))
    #expect(!bench.believes(ahead: sign * 253_000_000_000_000))
  }

  @Test(arguments: [1, -1] as [Int64]) func theWallClockThatAgreesIsBelievedAtOnce(_ sign: Int64) {
    let bench = Bench()
    let day = sign * 24 * Self.hour
    #expect(!bench.believes(ahead: day))
    #expect(!bench.believes(ahead: day, wallAhead: day - 60_002))
    #expect(!bench.believes(ahead: day, wallAhead: day + 60_002))
    #expect(bench.believes(ahead: day, wallAhead: day - 60_001))
    #expect(bench.believes(ahead: day, wallAhead: day + 60_001))
  }

  @Test(arguments: [1, -1] as [Int64]) func aMinuteOfAgreeingReadingsIsBelieved(_ sign: Int64) {
    let bench = Bench()
    #expect(bench.secondsUntilBelieved(ahead: sign * 100 * Self.hour) == 60)
  }

  @Test func readingsThatDisagreeBeginAnew() {
    let bench = Bench()
    for second in 0..<300 {
      // Each is another time; 30 s of each.
      #expect(!bench.believes(ahead: 100 * Self.hour + Int64(second / 30) * 60_000))
      bench.passed += 1_000
    }
    // The last of them for 30 s more.
    #expect(bench.secondsUntilBelieved(ahead: 100 * Self.hour + 9 * 60_000) == 30)
  }

  @Test func twoSecondsApartStillAgree() {
    let bench = Bench()
    for second in 0..<60 {
      #expect(!bench.believes(ahead: 100 * Self.hour + (second % 2 == 0 ? 0 : 2_000)))
      bench.passed += 1_000
    }
    #expect(bench.believes(ahead: 100 * Self.hour))
    let other = Bench()
    for second in 0..<200 {
      #expect(!other.believes(ahead: 100 * Self.hour + (second % 2 == 0 ? 0 : 2_003)))
      other.passed += 1_000
    }
  }

  @Test func aReadingAsExpectedEndsTheSuspicion() {
    let bench = Bench()
    #expect(!bench.believes(ahead: 100 * Self.hour))
    bench.passed += 59_000
    #expect(bench.believes(ahead: 10))
    bench.passed += 1_000
    #expect(bench.secondsUntilBelieved(ahead: 100 * Self.hour) == 60)
  }

  @Test func readingsBeforeALongSilenceSayNothing() {
    let bench = Bench()
    #expect(!bench.believes(ahead: 100 * Self.hour))
    bench.passed += 120_000
    #expect(bench.believes(ahead: 100 * Self.hour), "passes may be a minute apart")
    let other = Bench()
    #expect(!other.believes(ahead: 100 * Self.hour))
    other.passed += 120_001
    #expect(other.secondsUntilBelieved(ahead: 100 * Self.hour) == 60)
  }
}
