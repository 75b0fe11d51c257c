import BudgetModel
import SpendLedger
import Testing

@Suite struct ClockRecoveryTests {
  private func reading(_ wall: Int64, _ boottime: Int64, _ boot: String) -> ClockReading {
    ClockReading(
      wall: Timestamp(unixMilliseconds: wall), boottimeMilliseconds: boottime, bootID: boot)
  }

  private let stored = ClockMark(
    time: Timestamp(unixMilliseconds: 10_000), boottimeMilliseconds: 500, bootID: "a")

  @Test func theFirstStartTakesTheWallClock() {
    let time = ClockRecovery.time(after: nil, at: reading(7, 1, "a"))
    #expect(time.time.unixMilliseconds == 7)
    #expect(time.source == .firstStart)
  }

  @Test(arguments: [Int64(0), 10_250, 99_999])
  func withinOneBootTheWallClockDoesNotMatter(wall: Int64) {
    let time = ClockRecovery.time(after: stored, at: reading(wall, 750, "a"))
    #expect(time.time.unixMilliseconds == 10_250)
    #expect(time.source == .sameBoot)
  }

  @Test func overARebootTheWallClockCounts() {
    let time = ClockRecovery.time(after: stored, at: reading(12_000, 3, "b"))
    #expect(time.time.unixMilliseconds == 12_000)
    #expect(time.source == .wallClock)
  }

  @Test func aWallClockThatWentBackIsClamped() {
    let time = ClockRecovery.time(after: stored, at: reading(9_000, 3, "b"))
    #expect(time.time.unixMilliseconds == 10_000)
    #expect(time.source == .clamped(milliseconds: 1_000))
  }

  @Test func lessTimeSinceTheSameBootIsNotBelieved() {
    let time = ClockRecovery.time(after: stored, at: reading(9_000, 499, "a"))
    #expect(time.source == .clamped(milliseconds: 1_000))
  }

  @Test func anUnknownBootIsNoBoot() {
    let unknown = ClockMark(time: stored.time, boottimeMilliseconds: 0, bootID: "")
    let time = ClockRecovery.time(after: unknown, at: reading(12_000, 9, ""))
    #expect(time.source == .wallClock)
  }

  /// Reading a large ledger takes seconds, in which time goes on.
  @Test func timeGoesOnWhileTheLedgerIsRead() {
    let time = ClockRecovery.time(after: nil, at: reading(7_000, 100, "a"))
    #expect(time.time(atBoottime: 5_100).unixMilliseconds == 12_000)
    #expect(time.time(atBoottime: 99).unixMilliseconds == 7_000)
  }
}
