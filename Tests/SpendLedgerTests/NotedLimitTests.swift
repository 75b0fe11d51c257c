import BudgetModel
import Foundation
import Locks
import Testing

@testable import SpendLedger

/// Each window of a history has the limit that was in force when it ended.
@Suite struct NotedLimitTests {
  private static let day: Int64 = 86_400_000

  private func note(_ fixture: LedgerFixture, _ pico: Int128?, isComplete: Bool = false) {
    fixture.ledger.note(
      [NotedLimit(fixture.budget(0), pico.map { PicoUSD(pico: $0) })], isComplete: isComplete,
      at: fixture.client.now())
  }

  private func limits(
    _ fixture: LedgerFixture, _ slot: Int = 0, of key: BudgetKey? = nil
  ) throws -> [LimitInForce] {
    let question = HistoryQuestion(fixture.budget(slot), limitKey: key, count: 100)
    return try fixture.ledger.history(of: [question])[0].map(\.limit)
  }

  private func nextWindow(_ fixture: LedgerFixture, slots: [Int32] = [0]) {
    fixture.client.advance(milliseconds: Self.day + 1)
    #expect(fixture.record(PicoUSD(pico: 1), slots: slots) == .recorded)
  }

  private func rows(_ fixture: LedgerFixture) throws -> Int64 {
    #expect(fixture.ledger.settle())
    let store = try LedgerFixture.store(ofCopy: fixture)
    return try LedgerStore.integer("SELECT count(*) FROM limit_change", store.connection)
  }

  @Test(arguments: [false, true])
  func aWindowHasTheLimitThatItEndedUnder(isComplete: Bool) throws {
    let fixture = try LedgerFixture()
    nextWindow(fixture)
    nextWindow(fixture)
    note(fixture, 5, isComplete: isComplete)
    nextWindow(fixture)
    note(fixture, 5, isComplete: isComplete)
    nextWindow(fixture)
    // Raised and lowered again within a window, then without a limit.
    fixture.client.advance(milliseconds: 1_000)
    note(fixture, 9, isComplete: isComplete)
    fixture.client.advance(milliseconds: 1_000)
    note(fixture, 7, isComplete: isComplete)
    nextWindow(fixture)
    note(fixture, nil, isComplete: isComplete)
    let expected: [LimitInForce] = [
      .unlimited, .limit(PicoUSD(pico: 7)), .limit(PicoUSD(pico: 5)), .limit(PicoUSD(pico: 5)),
      .unknown,
    ]
    #expect(try limits(fixture) == expected)
    #expect(try rows(fixture) == 4, "one a change, and none where nothing did")
    try fixture.restart()
    #expect(try limits(fixture) == expected)
    #expect(try limits(fixture, of: fixture.budget(1)) == expected, "a pattern without a note")
    nextWindow(fixture, slots: [0, 1])
    #expect(try limits(fixture, 1, of: fixture.budget(0)) == [.unlimited], "a pattern's")
  }

  /// A name has a pattern's limits but where an operator changed its own, and from the end of that change
  /// on again, also those that the pattern got since.
  @Test func aNameHasItsOwnLimitWhileAChangeHoldsAndThePatternsElse() throws {
    let fixture = try LedgerFixture()
    let pattern = BudgetKey(scope: .tag, name: "user:*", windowText: "1d")
    func note(_ key: BudgetKey, _ pico: Int128?) {
      fixture.ledger.note(
        [NotedLimit(key, pico.map { PicoUSD(pico: $0) })], isComplete: false,
        at: fixture.client.now())
    }
    note(pattern, 5)
    nextWindow(fixture)
    nextWindow(fixture)
    note(fixture.budget(0), 50)
    nextWindow(fixture)
    // The pattern's changes meanwhile are not the name's.
    note(pattern, 6)
    nextWindow(fixture)
    fixture.client.advance(milliseconds: 1_000)
    note(fixture.budget(0), 6)
    nextWindow(fixture)
    note(pattern, nil)
    nextWindow(fixture)
    let picos: [Int128?] = [nil, 6, 50, 50, 5]
    let expected = picos.map { LimitInForce($0.map { PicoUSD(pico: $0) }) }
    #expect(try Array(limits(fixture, of: pattern).dropFirst()) == expected)
  }

  /// A name that an entry had, or an operator's change, has its pattern's limit from the start without
  /// it on.
  @Test func aNameWhoseEntryIsGoneHasThePatternsLimit() throws {
    let fixture = try LedgerFixture()
    var pattern = fixture.budget(0)
    pattern.name = "\(pattern.name.prefix(1))*"
    var everything = pattern
    everything.name = "*"
    let limits = [(everything, Int128(4)), (pattern, 5), (fixture.budget(0), 50)]
      .map { NotedLimit($0, PicoUSD(pico: $1)) }
    nextWindow(fixture)
    fixture.ledger.note(limits, isComplete: true, at: fixture.client.now())
    nextWindow(fixture)
    fixture.ledger.note(Array(limits.prefix(2)), isComplete: true, at: fixture.client.now())
    nextWindow(fixture)
    let found = try self.limits(fixture, of: pattern).prefix(3)
    #expect(Array(found) == [5, 5, 50].map { LimitInForce(PicoUSD(pico: $0)) })
  }

  @Test func renamedBudgetsKeepThem() throws {
    let fixture = try LedgerFixture()
    nextWindow(fixture)
    note(fixture, 5)
    let (old, new) = (fixture.budget(0), BudgetKey(scope: .provider, name: "p0", windowText: "24h"))
    fixture.client.heard.withLock { $0.keys[0] = new }
    fixture.ledger.rename(from: old, to: new)
    nextWindow(fixture)
    #expect(try limits(fixture) == [.limit(PicoUSD(pico: 5)), .limit(PicoUSD(pico: 5))])
    #expect(try rows(fixture) == 1)
    // Back again, where the old key has limits of its own by now.
    fixture.client.heard.withLock { $0.keys[0] = old }
    note(fixture, 8)
    fixture.ledger.rename(from: new, to: old)
    #expect(try limits(fixture).first == .limit(PicoUSD(pico: 8)))
    #expect(try rows(fixture) == 1)
  }

  @Test func changesAreBoundedInNumber() throws {
    let fixture = try LedgerFixture()
    nextWindow(fixture)
    for number in 0..<Int128(300) {
      note(fixture, number)
      fixture.client.advance(milliseconds: 1)
    }
    #expect(try rows(fixture) == Int64(LimitStatements.keptChanges))
    #expect(try limits(fixture) == [.limit(PicoUSD(pico: 299))])
  }

  /// A start knows all limits in force: those of budgets that are gone go with their windows.
  @Test func limitsOfBudgetsThatAreGoneGo() throws {
    let fixture = try LedgerFixture { $0.pruneInterval = .zero }
    let gone = BudgetKey(scope: .tag, name: "gone", windowText: "1d")
    let pattern = BudgetKey(scope: .tag, name: "user:*", windowText: "1d")
    let all = [gone, pattern, fixture.budget(0)].map { NotedLimit($0, PicoUSD(pico: 5)) }
    fixture.ledger.note(all, isComplete: true, at: fixture.client.now())
    #expect(try rows(fixture) == 3)
    fixture.client.advance(milliseconds: 34 * Self.day)
    fixture.ledger.note([all[1]], isComplete: true, at: fixture.client.now())
    #expect(try rows(fixture) == 3, "it may come back")
    nextWindow(fixture)
    fixture.client.advance(milliseconds: 2 * Self.day)
    fixture.ledger.note([all[1]], isComplete: true, at: fixture.client.now())
    #expect(try rows(fixture) == 2, "in force, or with a window")
  }

  /// A full disk: the note is made when there is room again.
  @Test func aNoteThatTheDiskRefusedIsMadeLater() throws {
    let fixture = try LedgerFixture()
    nextWindow(fixture)
    fixture.probe.fail(.commit, code: 13)
    note(fixture, 5)
    #expect(fixture.client.hears { if case .state(.refusing) = $0 { true } else { false } })
    fixture.probe.heal()
    #expect(fixture.client.hears { $0 == .state(.ready) })
    // Refused again and again, or done by now.
    var seen: [LimitInForce] = []
    for _ in 0..<200 where seen != [.limit(PicoUSD(pico: 5))] {
      #expect(fixture.ledger.settle())
      seen = try limits(fixture)
    }
    #expect(seen == [.limit(PicoUSD(pico: 5))])
  }

  /// A note that has changed on the disk is no reason to record nothing: the budget's notes are replaced.
  @Test(arguments: ["limited = 0", "dollars = 7", "name = 'p9'", "scope = 77"], [false, true])
  func notesThatHaveChangedAreReplaced(change: String, isComplete: Bool) throws {
    let fixture = try LedgerFixture()
    for slot: Int32 in [0, 1] { nextWindow(fixture, slots: [slot]) }
    let notes = [0, 1].map { NotedLimit(fixture.budget($0), PicoUSD(dollars: 5)) }
    fixture.ledger.note(notes, isComplete: true, at: fixture.client.now())
    fixture.client.advance(milliseconds: 1)
    fixture.ledger.note(
      [NotedLimit(fixture.budget(0), PicoUSD(dollars: 6))], isComplete: false,
      at: fixture.client.now())
    #expect(fixture.ledger.settle())
    fixture.ledger.close()
    try fixture.change("UPDATE limit_change SET \(change) WHERE name = 'p0' AND dollars = 5")
    try fixture.restart()
    // Of the budget nothing can be said; of others all.
    let isNamed = !change.hasPrefix("name") && !change.hasPrefix("scope")
    if isNamed { #expect(try limits(fixture) == [.unknown]) }
    #expect(try limits(fixture, 1) == [.limit(PicoUSD(dollars: 5))])
    nextWindow(fixture, slots: [0, 1])
    let again = zip([0, 1], [6, 5]).map {
      NotedLimit(fixture.budget($0), PicoUSD(dollars: $1))
    }
    fixture.ledger.note(again, isComplete: isComplete, at: fixture.client.now())
    #expect(fixture.ledger.settle() && fixture.ledger.state == .ready)
    if isComplete || isNamed {
      let isTold = fixture.client.hears { if case .limitsReplaced = $0 { true } else { false } }
      #expect(isTold)
    }
    #expect(try limits(fixture).first == .limit(PicoUSD(dollars: 6)))
    #expect(try limits(fixture, 1) == [.limit(PicoUSD(dollars: 5)), .limit(PicoUSD(dollars: 5))])
    try fixture.restart()
    #expect(fixture.record(PicoUSD(pico: 1), slots: [0]) == .recorded)
    #expect(try limits(fixture).first == .limit(PicoUSD(dollars: 6)))
  }

  /// A budget whose notes have changed can still be renamed.
  @Test func budgetsWhoseNotesHaveChangedAreRenamed() throws {
    let fixture = try LedgerFixture()
    nextWindow(fixture)
    note(fixture, 5)
    #expect(fixture.ledger.settle())
    fixture.ledger.close()
    try fixture.change("UPDATE limit_change SET pico = pico + 1")
    try fixture.restart()
    let new = BudgetKey(scope: .provider, name: "p0", windowText: "24h")
    fixture.ledger.rename(from: fixture.budget(0), to: new)
    fixture.client.heard.withLock { $0.keys[0] = new }
    nextWindow(fixture)
    #expect(fixture.ledger.state == .ready)
    #expect(try limits(fixture) == [.unknown, .unknown] && rows(fixture) == 0)
  }
}
