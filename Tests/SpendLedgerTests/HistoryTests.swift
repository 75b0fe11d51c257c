import BudgetModel
import Foundation
import Locks
import Testing

@testable import SpendLedger

/// The windows of a budget and their spend: read back whole, over restarts and kills, and for how long.
@Suite struct HistoryTests {
  private static let day: Int64 = 86_400_000

  private func amount(_ pico: Int128) -> PicoUSD { PicoUSD(pico: pico) }

  /// Charges a window of each of so many days, a pico-dollar more each day.
  private func fill(_ fixture: LedgerFixture, days: Int, slots: [Int32] = [0]) {
    for number in 0..<days {
      #expect(fixture.record(amount(Int128(number) + 1), slots: slots) == .recorded)
      fixture.client.advance(milliseconds: Self.day + 1)
    }
  }

  private func history(
    _ fixture: LedgerFixture, _ slot: Int = 0, before: Timestamp? = nil, count: Int = 100
  ) throws -> [PastWindow] {
    try fixture.ledger.history(of: [
      HistoryQuestion(fixture.budget(slot), before: before, count: count)
    ])[0]
  }

  @Test func windowsAreTheNewestFirstAndComeInPieces() throws {
    let fixture = try LedgerFixture()
    let start = fixture.client.now().unixMilliseconds
    fill(fixture, days: 5)
    #expect(fixture.record(amount(70)) == .recorded)
    let all = try history(fixture)
    #expect(all.map(\.own.pico) == [70, 5, 4, 3, 2, 1])
    #expect(
      all.map(\.window.start.unixMilliseconds)
        == (0...5).reversed().map {
          start + Int64($0) * (Self.day + 1)
        })
    #expect(all.allSatisfy { $0.others == nil && $0.spend == $0.own && $0.limit == .unknown })
    for (index, window) in all.enumerated() {
      let rest = try history(fixture, before: window.window.start, count: 2)
      #expect(rest == Array(all.dropFirst(index + 1).prefix(2)))
    }
    #expect(try history(fixture, count: 0) == [])
    #expect(try history(fixture, 7) == [], "never charged")
    // Nothing was folded yet; folded, and after a restart, it is the same.
    #expect(fixture.ledger.settle())
    #expect(try history(fixture) == all)
    try fixture.restart()
    #expect(try history(fixture) == all)
    #expect(fixture.record(amount(1)) == .recorded)
    #expect(try history(fixture).map(\.own.pico) == [71, 5, 4, 3, 2, 1], "of both lives")
    #expect(try fixture.historyAfterKill(0).map(\.own.pico) == [71, 5, 4, 3, 2, 1])
  }

  @Test func othersSpendIsAsItWasHeardLastAndOursAsItIs() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount(10)) == .recorded)
    let window = try #require(fixture.openWindow(0))
    var known = FleetWindow(window: window, at: fixture.client.now())
    known.total = amount(1_000)
    known.confirmed = [fixture.ledger.opening.origin: amount(4)]
    try fixture.ledger.remember([known])
    let now = try history(fixture)
    #expect(now.map(\.others?.pico) == [996] && now.map(\.spend.pico) == [1_006])
    // Days later, when no start looks at the row any more.
    fixture.client.advance(milliseconds: 20 * Self.day)
    #expect(fixture.record(amount(3)) == .recorded)
    try fixture.restart()
    #expect(fixture.ledger.opening.fleet == [])
    #expect(try history(fixture).map(\.spend.pico) == [3, 1_006])
    #expect(try history(fixture).map(\.others?.pico) == [nil, 996])
    // A window that only others have charged is one too.
    var others = fixture.fleetWindow(0, from: fixture.client.now().unixMilliseconds - 5 * Self.day)
    others.total = amount(7)
    try fixture.ledger.remember([others])
    #expect(try history(fixture).map(\.spend.pico) == [3, 7, 1_006])
  }

  /// A budget that is closed early has an end of its own, whichever life opened it.
  @Test func aWindowThatWasClosedEndsThere() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount(10)) == .recorded)
    try fixture.restart()
    fixture.client.advance(milliseconds: 100)
    let now = fixture.client.now()
    fixture.ledger.noteClosed(fixture.budget(0), at: now)
    #expect(try history(fixture).map(\.window.end) == [now])
  }

  /// Questions about very many lives are cut at a window's border.
  @Test func aWindowIsWholeHoweverManyLivesChargedIt() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount(1)) == .recorded)
    #expect(fixture.ledger.settle())
    fixture.client.advance(milliseconds: Self.day + 1)
    #expect(fixture.record(amount(1)) == .recorded)
    fixture.ledger.close()
    try Self.addLives(2_500, to: fixture.directory)
    try fixture.restart()
    let first = try history(fixture)
    #expect(first.map(\.own.pico) == [2_501], "the second would be too much for one answer")
    #expect(try history(fixture, before: first[0].window.start).map(\.own.pico) == [2_501])
  }

  /// Gives the first budget's windows the rows of so many more lives.
  private static func addLives(_ count: Int64, to directory: String) throws {
    let store = try LedgerStore(path: DataDirectory.databasePath(in: directory), probe: nil)
    let rows = try store.balances(ofBudget: 1)
    let result = store.transact { () throws(SQLiteError) in
      for number in 0..<count {
        let name = "0123abcd.\(String(number + 0x1000_0000, radix: 16))"
        try store.statements.insertOrigin(id: 100 + number, name: name)
        for var row in rows {
          row.origin = 100 + number
          try store.statements.setBalance(row)
        }
      }
    }
    guard case .committed = result else {
      Issue.record("\(result)")
      return
    }
    try store.checkpoint(cuts: true)
  }

  // MARK: - How long

  /// Lets a round of pruning pass.
  private func prune(_ fixture: LedgerFixture) {
    for _ in 0..<6 { #expect(fixture.ledger.settle()) }
  }

  @Test(arguments: [
    (BudgetPlace.none, 36), (.entry, 36), (.pattern, 8),
  ])
  func windowsOfEachPlaceGoInTheirTime(_ place: BudgetPlace, _ days: Int) throws {
    let fixture = try LedgerFixture { $0.pruneInterval = .zero }
    fixture.client.heard.withLock { heard in heard.places[heard.keys[0]] = place }
    fill(fixture, days: 60)
    prune(fixture)
    // The last window ended a millisecond ago.
    let kept = try history(fixture)
    #expect(kept.count == days - 1)
    #expect(kept.map(\.own.pico) == (0..<days - 1).map { 60 - Int128($0) })
    try fixture.restart()
    #expect(try history(fixture) == kept)
  }

  /// An entry's last thirteen stay however long ago they ended, all others' go.
  @Test func theLastThirteenOfAnEntryStay() throws {
    let fixture = try LedgerFixture { $0.pruneInterval = .zero }
    fixture.client.heard.withLock { heard in heard.places[heard.keys[0]] = .entry }
    fill(fixture, days: 20, slots: [0, 1])
    // Two windows of the fleet alone count among them.
    fixture.client.advance(milliseconds: 10 * Self.day)
    for days: Int64 in [1, 3] {
      let from = fixture.client.now().unixMilliseconds - days * Self.day - 1
      try fixture.ledger.remember([fixture.fleetWindow(0, from: from)])
    }
    fixture.client.advance(milliseconds: 400 * Self.day)
    prune(fixture)
    #expect(
      try history(fixture).count == 15, "thirteen at least: two tables are not counted as one")
    #expect(try history(fixture).suffix(13).map(\.own.pico) == (8...20).reversed().map { $0 })
    #expect(try history(fixture, 1) == [])
    // Once nothing names it, they go.
    fixture.client.heard.withLock { $0.places = [:] }
    prune(fixture)
    #expect(try history(fixture) == [])
    let store = try LedgerFixture.store(ofCopy: fixture)
    #expect(try LedgerStore.integer("SELECT count(*) FROM fleet_window", store.connection) == 0)
    #expect(try LedgerStore.integer("SELECT count(*) FROM budget", store.connection) == 0)
  }

  /// Windows of minutes do not fill the disk: so many of one budget are kept.
  @Test func shortWindowsAreBoundedInNumber() throws {
    let fixture = try LedgerFixture {
      $0.pruneInterval = .zero
      $0.windowsKeptAtMost = 20
      $0.windowsKept = 3
    }
    let length: Int64 = 1_000_000
    fixture.client.heard.withLock { heard in
      heard.windowMilliseconds = length
      heard.keys[0].windowText = "1000s"
      heard.places[heard.keys[0]] = .entry
    }
    for number in 1...50 {
      #expect(fixture.record(amount(Int128(number))) == .recorded)
      fixture.client.advance(milliseconds: length + 1)
    }
    prune(fixture)
    #expect(try history(fixture).map(\.own.pico) == (31...50).reversed().map { Int128($0) })
  }

  @Test func retentionFollowsPlaceAndLength() {
    let settings = LedgerSettings(directory: "")
    let now = Timestamp(unixMilliseconds: 1_800_000_000_000)
    func days(_ place: BudgetPlace, _ text: String) -> Double {
      let retention = WindowRetention(place, windowText: text, settings, at: now)
      #expect(retention.kept == (place == .entry ? 13 : 0))
      return Double(now.unixMilliseconds - retention.ended) / Double(Self.day)
    }
    #expect(days(.entry, "1d") == 35 && days(.none, "month") == 35 && days(.entry, "1mo") == 35)
    #expect(days(.pattern, "day") == 7 && days(.pattern, "hour") == 7)
    #expect(days(.entry, "303s") == 35 && days(.entry, "1s") == 10_000 / 86_400.0)
    #expect(days(.pattern, "60s") == 600_000 / 86_400.0)
    #expect(days(.entry, "9000000000000000000s") == 35, "no overflow")
    #expect(days(.entry, "nonsense") == 35)
  }

  @Test(arguments: [
    "UPDATE window_spend SET pico = pico + 1 WHERE pico = 2",
    "UPDATE fleet_window SET total_pico = total_pico + 1",
    "UPDATE limit_change SET pico = pico + 1",
  ])
  func aChangedRowIsToldAndStopsNothing(sql: String) throws {
    let fixture = try LedgerFixture()
    fill(fixture, days: 3)
    let old = fixture.fleetWindow(0, from: fixture.client.now().unixMilliseconds - 3 * Self.day)
    try fixture.ledger.remember([old])
    fixture.ledger.note(
      [NotedLimit(fixture.budget(0), amount(5))], isComplete: true, at: fixture.client.now())
    fixture.ledger.close()
    let isSpend = sql.contains("window_spend")
    try fixture.change(sql)
    if isSpend {
      // A start reads all of this node's own.
      #expect(throws: LedgerError.self) { try fixture.restart() }
      return
    }
    try fixture.restart()
    if sql.contains("limit_change") {
      #expect(try history(fixture).allSatisfy { $0.limit == .unknown })
    } else {
      let error = #expect(throws: LedgerError.self) { try history(fixture) }
      guard case .damaged? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    #expect(fixture.ledger.state == .ready)
    #expect(fixture.record(amount(1)) == .recorded)
  }
}

extension LedgerFixture {
  /// The history of a slot's budget that a start after a kill at this instant finds.
  func historyAfterKill(_ slot: Int) throws -> [PastWindow] {
    let copy = try copyOfAnInstant()
    defer { try? FileManager.default.removeItem(atPath: copy) }
    var settings = LedgerSettings(directory: copy)
    settings.readClock = self.settings.readClock
    let ledger = try SpendLedger.open(settings)
    defer { ledger.close() }
    return try ledger.history(of: [HistoryQuestion(budget(slot), count: HistoryQuestion.bound)])[0]
  }
}
