import BudgetModel
import Locks
import Logging
import NodeFixture
import Testing

@testable import BudgetServer

@Suite struct ClockWatchTests {
  private let time = ManualTimeSource(ServiceFixture.start)
  private let lines = TestLog.Lines()

  private func watch(isShared: Bool = false) -> ClockWatch {
    ClockWatch(time, isShared: isShared, log: Logger(label: "test") { [lines] _ in TestLog(lines) })
  }

  private func setWall(ahead milliseconds: Int64) {
    time.setWall(aheadBy: milliseconds)
  }

  @Test(arguments: [1, -1] as [Int64]) func aMinuteApartIsSaid(_ sign: Int64) throws {
    let watch = watch()
    setWall(ahead: sign * 60_000)
    watch.look()
    #expect(watch.warning == nil && watch.timesApart == 0)
    setWall(ahead: sign * 60_001)
    #expect(watch.aheadMilliseconds == -sign * 60_001)
    watch.look()
    let warning = try #require(watch.warning)
    #expect(warning.contains(sign > 0 ? "60 s behind" : "60 s ahead of"))
    #expect(warning.contains("also over restarts of budgetd. A reboot of the machine takes"))
    #expect(watch.timesApart == 1)
    for _ in 0..<100 { watch.look() }
    #expect(watch.timesApart == 1 && lines.count("wall clock") == 1)
    setWall(ahead: 0)
    watch.look()
    #expect(watch.warning == nil && lines.count("agree again") == 1)
  }

  @Test func aClockThatNobodyHasSetIsNoTimeToBegin() throws {
    for milliseconds in [Int64.min, -86_400_000, 0, 1_577_836_799_999] {
      let text = try #require(ClockWatch.complaint(at: Timestamp(unixMilliseconds: milliseconds)))
      #expect(text.contains("set it"))
    }
    let older = try #require(ClockWatch.complaint(at: Timestamp(unixMilliseconds: -1)))
    #expect(older.contains("says a time before 1970"))
    let old = try #require(ClockWatch.complaint(at: Timestamp(unixMilliseconds: 0)))
    #expect(old.contains("says 1970-01-01T00:00:00") && old.contains("2020-01-01T"))
    #expect(ClockWatch.complaint(at: Timestamp(unixMilliseconds: 1_577_836_800_000)) == nil)
    #expect(ClockWatch.complaint(at: ServiceFixture.start) == nil)
  }

  @Test func clocksThatComeAndGoAreCountedAndSeldomLogged() {
    let watch = watch(isShared: true)
    for _ in 0..<10 {
      setWall(ahead: 90_000)
      watch.look()
      setWall(ahead: 0)
      watch.look()
    }
    #expect(watch.timesApart == 10)
    #expect(lines.count("warning fleet time") == 1)
    time.advance(milliseconds: 600_000)
    setWall(ahead: 90_000)
    watch.look()
    #expect(lines.count("warning fleet time") == 2 && lines.count("Redis' clock") == 2)
  }
}
