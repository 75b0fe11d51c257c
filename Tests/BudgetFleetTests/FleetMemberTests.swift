import BudgetEngine
import BudgetModel
import Foundation
import Locks
import Logging
import NodeFixture
import Reconciliation
import SpendLedger
import Testing

@testable import BudgetFleet

@Suite struct FleetMemberTests {
  private static let start = MemberFixture.start

  private func record(
    _ fixture: MemberFixture, from start: Timestamp, total: Int128 = 0,
    confirmed: Int128 = 0, nodes: Int = 1
  ) throws -> FleetRecord {
    var record = FleetRecord(
      key: try providerBudget("p", nil).key, start: start,
      end: Timestamp(unixMilliseconds: start.unixMilliseconds + 3_600_000),
      at: fixture.time.now())
    record.total = PicoUSD(pico: total)
    record.highest = record.total
    record.confirmed = [fixture.ledger.opening.origin: PicoUSD(pico: confirmed)]
    record.nodes = nodes
    return record
  }

  private func earlier(_ milliseconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: Self.start.unixMilliseconds - milliseconds)
  }

  /// Not ready while the store's clock is not believed, with both times; ready again with it, and
  /// judged by the outage policy alone once the store is away.
  @Test func aClockThatIsNotBelievedMakesNotReady() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/clock-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let ledger = try SpendLedger.open(LedgerSettings(directory: directory))
    defer { ledger.close() }
    let passed = Locked<Int64>(0)
    let start = Self.start.unixMilliseconds
    let clock = FleetClock(
      startingAt: Self.start, boottime: { passed.withLock { $0 } },
      wallClock: { Timestamp(unixMilliseconds: start + passed.withLock { $0 }) })
    let lines = TestLog.Lines()
    let member = FleetMember(
      FleetSurroundings(
        engine: BudgetEngine(restoring: []), ledger: ledger, time: clock,
        log: Logger(label: "test") { _ in TestLog(lines) }), options: FleetOptions())
    func hear(_ ahead: Int64) throws {
      passed.withLock { $0 += 100 }
      try member.heard(
        Timestamp(unixMilliseconds: start + passed.withLock { $0 } + ahead), roundTrip: .zero)
    }
    try hear(0)
    member.passSucceeded(nodes: 1)
    #expect(member.notReadyReason == nil)
    for _ in 0..<5 {
      #expect(throws: ClockDoubt.self) { try hear(7_200_000) }
      member.passFailed("its clock", forItsClock: true)
    }
    let reason = try #require(member.notReadyReason)
    #expect(reason.contains("2026-01-15T02:00:00") && reason.contains("2026-01-15T00:00:00"))
    #expect(reason.contains("--clock-jump-bound-s"))
    #expect(member.status.isClockDoubted && lines.count("--clock-jump-bound-s") == 1)
    try hear(0)
    #expect(member.notReadyReason == nil && lines.count("believed again") == 1)
    #expect(throws: ClockDoubt.self) { try hear(-7_200_000) }
    member.passFailed("refused")
    #expect(member.notReadyReason == nil && !member.status.isClockDoubted)
  }

  @Test func aPassGoesThroughLedgerAndEngine() throws {
    let budgets = [try providerBudget("p", 100)]
    let fixture = try MemberFixture(budgets)
    #expect(fixture.record(4, provider: "p"))
    let known = try #require(fixture.member.budgets(otherThan: nil))
    #expect(known.budgets.map(\.key.name) == ["p"])
    #expect(known.budgets.map(\.limit?.pico) == [100])
    #expect(fixture.member.budgets(otherThan: known.generation) == nil)
    let news = try fixture.member.news()
    #expect(news.isComplete)
    #expect(news.totals.map(\.cumulative.pico) == [4])
    #expect(news.totals.map(\.start) == [Self.start])
    #expect(news.totals.first?.origin.hasPrefix(fixture.member.nodeID + ".") == true)

    let fleet = try record(fixture, from: earlier(60_000), total: 9, confirmed: 0, nodes: 3)
    try fixture.member.adopt([
      WindowAdoption(key: fleet.key, moving: [Self.start], closing: [], record: fleet)
    ])
    #expect(try #require(fixture.report("p")).ownSpend.pico == 4)
    #expect(try #require(fixture.report("p")).spend.pico == 13)
    #expect(try #require(fixture.report("p")).resetsAt == fleet.end)
    fixture.member.show(
      [FleetView(budget: 0, start: fleet.start, others: PicoUSD(pico: 20))],
      of: known.generation)
    #expect(try #require(fixture.report("p")).spend.pico == 24)
    // Positions of another generation, and ones that there are not, say nothing.
    fixture.member.show(
      [FleetView(budget: 0, start: fleet.start, others: PicoUSD(pico: 50))],
      of: known.generation + 1)
    fixture.member.show(
      [FleetView(budget: 7, start: fleet.start, others: PicoUSD(pico: 50))],
      of: known.generation)
    #expect(try #require(fixture.report("p")).spend.pico == 24)
    #expect(fixture.record(1, provider: "p"))
    let later = try fixture.member.news()
    #expect(!later.isComplete)
    #expect(later.totals.map(\.cumulative.pico) == [5])
    #expect(later.totals.map(\.start) == [fleet.start])
  }

  /// A reservation that waits for room in the fleet must not wait for this node's disk as well.
  @Test func aLedgerThatStandsStillKeepsNoReservationWaiting() throws {
    let fixture = try MemberFixture([try providerBudget("p", 100)])
    let member = fixture.member
    #expect(fixture.record(4, provider: "p"))
    let first = try #require(try member.newsSoFar())
    #expect(first.isComplete && first.totals.map(\.cumulative.pico) == [4])
    let fleet = try record(fixture, from: Self.start, total: 9)
    let key = fleet.key
    #expect(
      member.waiting.enter(
        WaitingCall(connection: 1, id: 1, frame: []),
        lacking: [WaitingRoom.Lack(key, PicoUSD(pico: 1))], within: .seconds(600)))
    try fixture.disk.standingStill {
      #expect(fixture.submit(3, provider: "p"))
      let early = try member.newsSoFar()
      #expect(fixture.submit(2, provider: "p"))
      let again = try member.newsSoFar()
      #expect(early == nil && again == nil, "asked once, and not answered")
      #expect(throws: FleetNodeError.self) { try member.remember([fleet]) }
    }
    #expect(fixture.ledger.settle())
    // The last word is told, whichever answer it was in, and once.
    let news = try member.news()
    #expect(!news.isComplete && news.totals.last?.cumulative.pico == 9)
    let rest = try member.newsSoFar()
    #expect(rest?.totals.isEmpty == true)
    // An answer that came meanwhile is told by the next call, whichever that is.
    for (total, isPatient) in [(10, true), (11, false)] {
      try fixture.disk.standingStill {
        #expect(fixture.submit(1, provider: "p"))
        let early = try member.newsSoFar()
        #expect(early == nil)
      }
      #expect(fixture.ledger.settle())
      let told = try isPatient ? member.news() : member.newsSoFar()
      #expect(told?.totals.map(\.cumulative.pico) == [Int128(total)])
    }
  }

  /// Operators have reset something.
  private struct Resets: SharedChanges {
    let resets: [BudgetKey: Timestamp]
    var changesEdition: UInt64 { 7 }
    var heldChanges: [BudgetChange] { [] }

    func inTurn<Result>(_ work: () -> Result) -> Result { work() }

    func hear(_ changes: [BudgetChange]) {}
  }

  @Test func aWindowThatWasResetIsNotMadeTheNodesOwnAgain() throws {
    let fixture = try MemberFixture([try providerBudget("p", 100)])
    #expect(fixture.record(4, provider: "p"))
    let old = try record(fixture, from: earlier(60_000), total: 9)
    let reset = earlier(30_000)
    var surroundings = FleetSurroundings(
      engine: fixture.engine, ledger: fixture.ledger, time: fixture.time, log: fixture.log)
    surroundings.changes = Resets(resets: [old.key: reset])
    let member = FleetMember(surroundings, options: fixture.options)
    #expect(member.resets(otherThan: nil)?.starts == [old.key: reset])
    #expect(member.resets(otherThan: 7) == nil)
    func adopt(_ record: FleetRecord) throws {
      try member.adopt([
        WindowAdoption(key: record.key, moving: [Self.start], closing: [], record: record)
      ])
    }
    #expect(throws: FleetNodeError.self) { try adopt(old) }
    #expect(try #require(fixture.report("p")).ownSpend.pico == 4)
    try adopt(try record(fixture, from: reset))
    try member.remember([old])
    // A host whose clock is behind has begun it later.
    var behind = old
    behind.end = Timestamp(unixMilliseconds: reset.unixMilliseconds + 3_600_001)
    try adopt(behind)
    member.stop()
  }

  @Test func aRestartGoesOnInTheFleetsWindow() throws {
    let budgets = [try providerBudget("p", 100)]
    let fixture = try MemberFixture(budgets)
    #expect(fixture.record(4, provider: "p"))
    let fleet = try record(fixture, from: earlier(60_000), total: 24, confirmed: 4, nodes: 3)
    try fixture.member.adopt([
      WindowAdoption(key: fleet.key, moving: [Self.start], closing: [], record: fleet)
    ])
    // A crash between a window's opening and its adoption leaves two: both count.
    fixture.ledger.noteOpened([
      BudgetWindow(
        key: fleet.key, start: Timestamp(unixMilliseconds: fleet.start.unixMilliseconds + 1),
        end: fleet.end)
    ])
    try fixture.restart(budgets)
    #expect(try #require(fixture.report("p")).ownSpend.pico == 4)
    #expect(try #require(fixture.report("p")).spend.pico == 24)
    #expect(try #require(fixture.report("p")).resetsAt == fleet.end)
    let news = try fixture.member.news()
    #expect(news.records == [fleet])
    #expect(Set(news.totals.map(\.start)).count == 2)
    // Over: the next life opens its own.
    fixture.time.advance(milliseconds: 3_600_000)
    try fixture.restart(budgets)
    #expect(try #require(fixture.report("p")).spend == .zero)
    #expect(try fixture.member.news().records == [fleet])
  }

  @Test func theLastToEndIsInForce() throws {
    func window(_ start: Int64, lasting: Int64 = 1_000) -> FleetWindow {
      FleetWindow(
        window: BudgetWindow(
          key: BudgetKey(scope: .tag, name: "t", windowText: "1h"),
          start: Timestamp(unixMilliseconds: start),
          end: Timestamp(unixMilliseconds: start + lasting)),
        at: Timestamp(unixMilliseconds: 0))
    }
    let now = Timestamp(unixMilliseconds: 500)
    let key = window(0).window.key
    for windows in [
      [window(0), window(100, lasting: 900), window(50)],
      [window(50), window(0), window(40, lasting: 1_010)],
    ] {
      #expect(FleetRestoring.inForce(windows, at: now)[key]?.window.start.unixMilliseconds == 50)
    }
    #expect(FleetRestoring.inForce([window(0, lasting: 499)], at: now).isEmpty)
    #expect(FleetRestoring.inForce([window(0, lasting: 500)], at: now).count == 1)
  }

  // MARK: - Outages

  @Test func shareGivesOutOnePartOfWhatIsLeft() throws {
    let fixture = try MemberFixture([try providerBudget("p", 90)]) { $0.size = 2 }
    #expect(fixture.record(10, provider: "p"))
    fixture.member.start()
    #expect(fixture.room("p", upTo: 100) == 40)
    fixture.member.passSucceeded(nodes: 4)
    #expect(fixture.room("p", upTo: 100) == 80)
    #expect(fixture.member.status.nodes == 4)
    #expect(!fixture.member.status.isPartitioned)
    // No pass for too long, by the clock that the standing is told.
    fixture.passIsOverdue()
    #expect(fixture.member.status.isPartitioned)
    #expect(fixture.room("p", upTo: 100) == 20)
    #expect(fixture.record(15, provider: "p"))
    #expect(fixture.room("p", upTo: 100) == 5)
    // A budget that comes with a reload is shared too.
    let report = fixture.engine.reload(
      BudgetConfiguration(
        budgets: [try providerBudget("p", 90), try providerBudget("q", 80)], deployments: [],
        directory: .empty), at: fixture.time.now())
    #expect(report.added.count == 1)
    fixture.member.reloaded()
    #expect(fixture.room("q", upTo: 100) == 20)
    #expect(fixture.room("p", upTo: 100) == 5)
    // The next window is shared out as well.
    fixture.time.advance(milliseconds: 3_600_001)
    #expect(fixture.room("p", upTo: 100) == 22)
    fixture.member.passSucceeded(nodes: 4)
    #expect(fixture.room("p", upTo: 100) == 90)
  }

  @Test func beforeTheFirstPassTheStoredNodesCount() throws {
    let budgets = [try providerBudget("p", 90), try providerBudget("q", 90)]
    let fixture = try MemberFixture(budgets) { $0.size = 3 }
    let fleet = try record(fixture, from: Self.start, total: 30, confirmed: 0, nodes: 6)
    try fixture.member.adopt([
      WindowAdoption(key: fleet.key, moving: [], closing: [], record: fleet)
    ])
    try fixture.restart(budgets)
    fixture.member.start()
    #expect(fixture.room("p", upTo: 100) == 10)
    #expect(fixture.room("q", upTo: 100) == 30)
    fixture.time.advance(milliseconds: 3_600_001)
    #expect(fixture.room("p", upTo: 100) == 30)
  }

  @Test func openChangesNothing() throws {
    let fixture = try MemberFixture([try providerBudget("p", 90)]) {
      $0.policy = .open
      $0.size = 5
    }
    fixture.member.start()
    #expect(fixture.room("p", upTo: 100) == 90)
    #expect(fixture.member.refusal == nil)
    #expect(fixture.member.notReadyReason != nil)
    fixture.member.passSucceeded(nodes: 5)
    fixture.passIsOverdue()
    #expect(fixture.room("p", upTo: 100) == 90)
    #expect(fixture.member.storeState == "partitioned")
    #expect(fixture.member.notReadyReason == nil)
  }

  @Test func anOutageIsToldOnceAndSoIsItsEnd() throws {
    let fixture = try MemberFixture([try providerBudget("p", 90)])
    fixture.member.start()
    #expect(fixture.lines.count("--fleet-size is not given") == 1)
    for _ in 0..<3 { fixture.member.passFailed("connection refused") }
    #expect(fixture.lines.count("error no agreement with Redis since the start") == 1)
    #expect(fixture.lines.count("connection refused. --outage-policy share") == 1)
    fixture.member.passSucceeded(nodes: 2)
    #expect(fixture.lines.count("in touch with the store after") == 1)
    fixture.member.passSucceeded(nodes: 2)
    for _ in 0..<3 { fixture.passIsOverdue() }
    #expect(fixture.lines.count("error Redis is away, the last agreement was at 2026") == 1)
    #expect(fixture.lines.count("one of 2, until Redis answers") == 1)
    fixture.member.passSucceeded(nodes: 2)
    #expect(fixture.lines.count("in touch with the store after") == 2)
    let status = fixture.member.status
    #expect(status.passesFailed == 3)
    #expect(status.passesSucceeded == 3)
    #expect(status.isUp)
    #expect(status.failure == nil)
    #expect(status.lastPassAt == Self.start)
  }

  @Test func theStatusSaysWhatWasReported() throws {
    let fixture = try MemberFixture([])
    #expect(fixture.member.status.partitionedSince == Self.start)
    #expect(!fixture.member.status.isUp)
    fixture.member.passSucceeded(nodes: 0, took: .milliseconds(5))
    fixture.member.passFailed("timeout")
    fixture.member.passesSkipped(0)
    fixture.member.passesSkipped(2)
    fixture.member.addLate(PicoUSD(pico: 3))
    fixture.member.addLate(PicoUSD(pico: 4))
    fixture.member.noteEviction(isUnsafe: true)
    let status = fixture.member.status
    #expect(status.nodes == 1)
    #expect(!status.isUp)
    #expect(!status.isPartitioned)
    #expect(status.failure == "timeout")
    #expect(status.passesSkipped == 2)
    #expect(status.lateSpend.pico == 7)
    #expect(status.isEvictionUnsafe)
    #expect(status.passDurations.sum == 5_000_000)
  }
}
