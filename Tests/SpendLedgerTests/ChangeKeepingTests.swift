import BudgetModel
import Foundation
import Testing

@testable import SpendLedger

/// Operators' changes and the audit outlive the process.
@Suite struct ChangeKeepingTests {
  private static let author = ChangeAuthor(name: "ops", place: "here")
  private static let openai = BudgetKey(scope: .provider, name: "openai", windowText: "1d")

  private static func change(
    _ matter: BudgetChange.Matter, _ setting: BudgetChange.Setting, version: Int64 = 1,
    of target: BudgetKey = openai
  ) -> BudgetChange {
    BudgetChange(
      .init(matter, target), setting, reason: "launch", by: author,
      at: Timestamp(unixMilliseconds: version),
      version: ChangeVersion(milliseconds: version, node: "n"))
  }

  private static func notes(_ changes: [BudgetChange]) -> ChangeNotes {
    var notes = ChangeNotes()
    notes.changes = changes
    return notes
  }

  private static func line(_ action: String, at time: Timestamp) -> AuditEntry {
    AuditEntry(at: time, action: action, by: author, node: "n")
  }

  @Test func changesAreThereAfterAKillAndARestart() throws {
    let fixture = try LedgerFixture()
    let limit = Self.change(.limit, .limit(PicoUSD(dollars: 5)))
    let reset = Self.change(.reset, .reset(to: .zero))
    let freeze = Self.change(
      .mode, .mode(.freeze), of: BudgetKey(scope: .provider, name: "openai", windowText: ""))
    try fixture.ledger.keep(Self.notes([limit, reset, freeze]))
    #expect(Set(try fixture.afterKill().changes) == [limit, reset, freeze])
    let cleared = Self.change(.limit, .cleared, version: 2)
    var notes = Self.notes([cleared])
    notes.forgotten = [reset.register]
    try fixture.ledger.keep(notes)
    try fixture.restart()
    #expect(Set(fixture.ledger.opening.changes) == [cleared, freeze])
  }

  @Test func alertsThatWereToldAreKnownAfterAKillAndARestart() throws {
    let fixture = try LedgerFixture()
    let rows = ["a0", "a1"].map {
      KeptAlert(id: $0, family: "f\($0)", until: Timestamp(unixMilliseconds: 7))
    }
    var notes = ChangeNotes()
    notes.alerts = rows
    try fixture.ledger.keep(notes)
    #expect(Set(try fixture.afterKill().alerts) == Set(rows))
    var later = ChangeNotes()
    later.alerts = [KeptAlert(id: "a0", family: "other", until: Timestamp(unixMilliseconds: 8))]
    later.endedAlerts = ["a1", "never there"]
    try fixture.ledger.keep(later)
    try fixture.restart()
    #expect(fixture.ledger.opening.alerts == later.alerts)
  }

  @Test func manyChangesAreKeptInSlices() throws {
    let fixture = try LedgerFixture()
    let changes = (0..<1_203).map { number in
      Self.change(
        .limit, .limit(nil),
        of: BudgetKey(scope: .tag, name: "t\(number)", windowText: "1d"))
    }
    try fixture.ledger.keep(Self.notes(changes))
    #expect(Set(try fixture.afterKill().changes) == Set(changes))
  }

  @Test func whatADiskRefusesIsNotKept() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.commit, code: 13)
    #expect(throws: LedgerError.self) {
      try fixture.ledger.keep(Self.notes([Self.change(.limit, .limit(nil))]))
    }
    #expect(try fixture.afterKill().changes.isEmpty)
  }

  @Test(arguments: [
    "UPDATE policy_change SET state = CAST(replace(CAST(state AS TEXT), 'limit\t5', 'limit\t6') AS BLOB)",
    "UPDATE policy_change SET version_ms = 7", "UPDATE policy_change SET name = 'azure'",
    "UPDATE policy_change SET window_text = '2d'", "UPDATE policy_change SET seal = 1",
  ])
  func aChangedRowIsFound(sql: String) throws {
    let fixture = try LedgerFixture()
    try fixture.ledger.keep(
      Self.notes([Self.change(.limit, .limit(PicoUSD(dollars: 5)))]))
    fixture.ledger.close()
    try fixture.change(sql)
    #expect(throws: LedgerError.self) { try SpendLedger.open(fixture.settings) }
  }

  /// A change that this release cannot read is as it was written: everything else is to be had.
  @Test func aRowOfAnotherReleaseIsLeftAlone() throws {
    let fixture = try LedgerFixture()
    let freeze = Self.change(
      .mode, .mode(.freeze), of: BudgetKey(scope: .provider, name: "openai", windowText: ""))
    let unreadable = Self.change(
      .limit, .limit(PicoUSD(dollars: 9)),
      of: BudgetKey(scope: .total, name: "total", windowText: ""))
    #expect(BudgetChange(text: unreadable.text) == nil)
    try fixture.ledger.keep(Self.notes([unreadable, freeze]))
    #expect(try fixture.afterKill().changes == [freeze])
    try fixture.restart()
    #expect(fixture.ledger.opening.changes == [freeze])
    fixture.ledger.close()
    try fixture.change("UPDATE policy_change SET seal = seal + 1 WHERE name = 'total'")
    #expect(throws: LedgerError.self) { try SpendLedger.open(fixture.settings) }
  }

  @Test func theAuditIsReadBackwards() throws {
    let fixture = try LedgerFixture()
    for number in 0..<5 {
      fixture.client.advance(milliseconds: 1_000)
      var notes = ChangeNotes()
      notes.audit = [Self.line("a\(number)", at: fixture.client.now())]
      try fixture.ledger.keep(notes)
    }
    try fixture.restart()
    let first = try fixture.ledger.audit(count: 2)
    #expect(first.map { $0.entry?.action } == ["a4", "a3"])
    let next = try fixture.ledger.audit(before: first[1].id, count: 9)
    #expect(next.map { $0.entry?.action } == ["a2", "a1", "a0"])
    let since = Timestamp(
      unixMilliseconds: fixture.client.now().unixMilliseconds - 1_000)
    #expect(try fixture.ledger.audit(since: since, count: 9).count == 2)
  }

  @Test func theAuditGoesAfterFiveWeeks() throws {
    let fixture = try LedgerFixture()
    var notes = ChangeNotes()
    notes.audit = [Self.line("old", at: fixture.client.now())]
    try fixture.ledger.keep(notes)
    fixture.client.advance(milliseconds: ChangeNotes.auditMilliseconds + 1)
    notes.audit = [Self.line("new", at: fixture.client.now())]
    try fixture.ledger.keep(notes)
    #expect(try fixture.ledger.audit(count: 9).map { $0.entry?.action } == ["new"])
  }

  @Test func aChangedLineSaysSo() throws {
    let fixture = try LedgerFixture()
    var notes = ChangeNotes()
    notes.audit = [Self.line("a", at: fixture.client.now())]
    try fixture.ledger.keep(notes)
    fixture.ledger.close()
    try fixture.change("UPDATE audit SET at_ms = at_ms + 1")
    try fixture.restart()
    #expect(try fixture.ledger.audit(count: 9).map(\.entry) == [nil])
  }
}
