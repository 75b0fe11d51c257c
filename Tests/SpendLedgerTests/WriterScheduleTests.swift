import Testing

@testable import SpendLedger

/// When the ledger's thread does what: told the time, never asked a clock.
@Suite struct WriterScheduleTests {
  private static let millisecond: Int64 = 1_000_000
  private static let second = WriterSchedule.second

  private func schedule(_ change: (inout LedgerSettings) -> Void = { _ in }) -> WriterSchedule {
    var settings = LedgerSettings(directory: "/nowhere")
    change(&settings)
    return WriterSchedule(settings, at: 0)
  }

  @Test func aFoldWaitsForItsIntervalAndTakesATenthOfTheTime() {
    var schedule = schedule()
    #expect(!schedule.isFoldDue(waitingSince: 50, at: 100 * Self.millisecond))
    #expect(schedule.isFoldDue(waitingSince: 50, at: 100 * Self.millisecond + 50))
    schedule.folded(took: 30 * Self.millisecond, at: 200 * Self.millisecond)
    #expect(!schedule.isFoldDue(waitingSince: 50, at: 499 * Self.millisecond))
    #expect(schedule.isFoldDue(waitingSince: 50, at: 500 * Self.millisecond))
    #expect(!schedule.isFoldDue(waitingSince: nil, at: 499 * Self.millisecond))
    schedule.refused(at: 500 * Self.millisecond)
    #expect(!schedule.isFoldDue(waitingSince: 50, at: 1_799 * Self.millisecond))
  }

  @Test func theThreadSleepsUntilTheFirstThingIsDue() {
    let schedule = schedule()
    let second = Self.second
    #expect(schedule.wait(.init(), at: 0) == second, "the files are looked at")
    #expect(schedule.wait(.init(unfoldedSince: 0), at: 0) == 100 * Self.millisecond)
    #expect(schedule.wait(.init(hasUnwritten: true), at: 0) == 100 * Self.millisecond)
    #expect(schedule.wait(.init(isForgettingDue: true), at: 0) == 100 * Self.millisecond)
    #expect(schedule.wait(.init(isRefusing: true), at: second / 2) == second / 2)
    #expect(schedule.wait(.init(hasPostponed: true), at: 0) == second)
    #expect(schedule.wait(.init(logFrames: 1), at: second / 2) == second / 2)
    #expect(schedule.wait(.init(isCopying: true), at: 0) == 0)
    #expect(schedule.wait(.init(), at: 5 * second) == 0)
  }

  @Test func pruningGoesOnInSlicesAndBeginsAnewAfterItsInterval() {
    var schedule = schedule()
    // The first round soon, since a start prunes nothing; then one an hour.
    #expect(!schedule.isPruningDue(at: 59 * Self.second))
    #expect(schedule.isPruningDue(at: 60 * Self.second))
    schedule.pruned(isLast: true, at: 0)
    #expect(!schedule.isPruningDue(at: 3_599 * Self.second))
    #expect(schedule.isPruningDue(at: 3_600 * Self.second))
    schedule.pruned(isLast: false, at: 3_600 * Self.second)
    #expect(!schedule.isPruningDue(at: 3_600 * Self.second + 19 * Self.millisecond))
    #expect(schedule.isPruningDue(at: 3_600 * Self.second + 20 * Self.millisecond))
    schedule.pruned(isLast: true, at: 3_601 * Self.second)
    #expect(!schedule.isPruningDue(at: 7_200 * Self.second))
    schedule.pruningFailed(at: 7_201 * Self.second)
    #expect(schedule.isPruningDue(at: 7_202 * Self.second))
  }

  @Test func aLogIsTakenOverWhenItIsLongOrNothingComes() {
    let schedule = schedule {
      $0.checkpointBytes = 10 * WriterSchedule.bytesPerFrame
      $0.truncateBytes = 20 * WriterSchedule.bytesPerFrame
    }
    func due(_ frames: Int, idle: Bool = false, last: Bool = false, at now: Int64 = 1)
      -> WriterSchedule.Checkpoint?
    {
      schedule.checkpoint(logFrames: frames, isIdle: idle, isLast: last, at: now)
    }
    #expect(due(10) == nil && due(11) == .keepsFile && due(21) == .cutsFile)
    #expect(due(1, idle: true) == nil && due(1, idle: true, at: Self.second) == .keepsFile)
    #expect(due(1, last: true) == .cutsFile && due(0, last: true) == nil)
  }

  @Test func timeIsStoredSeldomWhileNothingComes() {
    var schedule = schedule()
    #expect(!schedule.isMarkDue(at: Self.second - 1) && schedule.isMarkDue(at: Self.second))
    #expect(!schedule.isIdleMarkDue(isRefusing: false, at: 59 * Self.second))
    #expect(schedule.isIdleMarkDue(isRefusing: true, at: Self.second))
    schedule.committed(marks: true, at: 59 * Self.second)
    #expect(!schedule.isIdleMarkDue(isRefusing: false, at: 118 * Self.second))
    #expect(schedule.isIdleMarkDue(isRefusing: false, at: 119 * Self.second))
  }

  @Test func aSecondFailureWithinTheWindowIsOneTooMany() {
    var schedule = schedule()
    let may = [0, 60 * Self.second - 1, 60 * Self.second].map { schedule.mayFail(at: $0) }
    #expect(may == [true, false, true])
  }

  @Test func looksAndReportsAreSpaced() {
    var schedule = schedule()
    schedule.lastTake = 10 * Self.millisecond
    let looks = [schedule.looksAtFiles(), schedule.looksAtFiles()]
    #expect(looks == [true, false])
    let checks = [Self.second - 1, Self.second, Self.second].map { schedule.checksFiles(at: $0) }
    #expect(checks == [false, true, false])
    let upkeep = [0, Self.second, 60 * Self.second].map { schedule.reportsUpkeep(at: $0) }
    #expect(upkeep == [true, false, true])
    let forgetting = [0, 59 * Self.second].map { schedule.reportsForgetting(at: $0) }
    #expect(forgetting == [true, false])
    let takes = [false, true].map { schedule.takesUpkeep(isLast: $0, at: 0) }
    #expect(takes == [false, true])
  }

  @Test func recordsGatherOnlyWhereNobodyWaits() {
    var schedule = schedule { $0.gatherInterval = .milliseconds(5) }
    schedule.lastTake = 7
    #expect(schedule.gathering(enough: 9)?.until == 5 * Self.millisecond + 7)
    #expect(schedule.gathering(enough: 9)?.enough == 9)
    #expect(self.schedule().gathering(enough: 9) == nil)
  }
}
