import BudgetModel
import Locks
import Testing

@testable import SpendLedger

@Suite struct ChangesTests {
  private let amount = PicoUSD(pico: 42)

  @Test func everythingFirstThenOnlyWhatChanged() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount, slots: [0, 1]) == .recorded)
    let first = try fixture.ledger.changes()
    #expect(first.isComplete)
    #expect(first.totals.map(\.window.key.name) == ["p0", "p1"])
    #expect(first.totals.allSatisfy { $0.amount == amount })
    #expect(first.totals.allSatisfy { $0.origin == fixture.ledger.opening.origin })
    #expect(try fixture.ledger.changes() == LedgerChanges(isComplete: false, totals: []))
    #expect(fixture.record(amount, slots: [1]) == .recorded)
    #expect(fixture.record(amount, slots: [1]) == .recorded)
    let later = try fixture.ledger.changes()
    #expect(!later.isComplete)
    #expect(later.totals.map(\.window.key.name) == ["p1"])
    #expect(later.totals.map(\.amount.pico) == [3 * amount.pico])
    #expect(later.totals.first?.window == fixture.openWindow(1))
    // A window that was told of is told of again when it changes again.
    #expect(fixture.record(amount, slots: [1]) == .recorded)
    let last = try fixture.ledger.changes()
    #expect(last.totals.map(\.amount.pico) == [4 * amount.pico])
  }

  @Test func earlierLivesOfTheNodeAreToldToo() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let before = fixture.ledger.opening.origin
    try fixture.restart()
    #expect(fixture.record(amount) == .recorded)
    let changes = try fixture.ledger.changes()
    #expect(Set(changes.totals.map(\.origin)) == [before, fixture.ledger.opening.origin])
    #expect(changes.totals.allSatisfy { $0.amount == amount })
  }

  /// Also kills the mutant that folds a window which no commit has opened.
  @Test(arguments: [StorageStep.write, .commit])
  func aBatchThatFailedIsNotTold(step: StorageStep) throws {
    let fixture = try LedgerFixture()
    _ = try fixture.ledger.changes()
    fixture.probe.fail(step, code: 13)
    #expect(fixture.record(amount) == .notRecorded(.diskFull))
    #expect(try fixture.ledger.changes().totals == [])
    #expect(fixture.ledger.settle())
    #expect(try fixture.afterKill().windows == [])
    #expect(fixture.record(amount) == .recorded)
    #expect(try fixture.ledger.changes().totals.map(\.amount) == [amount])
  }

  @Test(arguments: [StorageStep.commit, .committed])
  func afterADoubtEverythingIsToldAsTheFileHasIt(step: StorageStep) throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    _ = try fixture.ledger.changes()
    fixture.probe.fail(step, code: 1_034)
    let token = fixture.submit(amount, key: "k")
    #expect(fixture.client.wait(2))
    let isThere = fixture.client.resolution(token) == .recorded
    #expect(isThere == (step == .committed))
    #expect(fixture.record(amount) == .recorded)
    let changes = try fixture.ledger.changes()
    #expect(changes.isComplete)
    #expect(Set(changes.totals.map(\.origin)).count == 2)
    let sum = changes.totals.reduce(PicoUSD.zero) { $0 + $1.amount }
    #expect(sum.pico == amount.pico * (isThere ? 3 : 2))
  }

  @Test func windowsThatWereNotedAreNewsOfNothing() throws {
    let fixture = try LedgerFixture()
    _ = try fixture.ledger.changes()
    let window = fixture.fleetWindow(2, from: 1_700_000_000_000).window
    fixture.ledger.noteOpened([window])
    #expect(try fixture.ledger.changes().totals.map(\.window) == [window])
    // In the table or in memory, a noted window is part of everything.
    try fixture.restart()
    #expect(try fixture.ledger.changes().totals.map(\.amount) == [.zero])
  }

  @Test func windowsThatEndedLongAgoMatterNoMore() throws {
    let fixture = try LedgerFixture()
    fixture.client.heard.withLock { $0.windowMilliseconds = 10_000 }
    #expect(fixture.record(amount) == .recorded)
    fixture.client.advance(milliseconds: 10_000 + 600_000)
    #expect(fixture.record(amount, slots: [1]) == .recorded)
    try fixture.restart()
    #expect(try fixture.ledger.changes().totals.map(\.window.key.name) == ["p0", "p1"])
    fixture.client.advance(milliseconds: 1)
    try fixture.restart()
    #expect(try fixture.ledger.changes().totals.map(\.window.key.name) == ["p1"])
  }

  /// The store knows a budget by its window's text: what it confirmed of the old says nothing.
  @Test func aRenamedBudgetIsToldAnewAndForgetsItsFleet() throws {
    let fixture = try LedgerFixture()
    let (old, new) = (fixture.budget(0), BudgetKey(scope: .provider, name: "p0", windowText: "24h"))
    #expect(fixture.record(amount) == .recorded)
    try fixture.ledger.remember([fixture.fleetWindow(0, from: 1_700_000_000_000)])
    #expect(try fixture.ledger.changes().fleet.count == 1)
    fixture.ledger.rename(from: old, to: new)
    let changes = try fixture.ledger.changes()
    #expect(changes.isComplete)
    #expect(changes.totals.map(\.window.key) == [new])
    #expect(changes.fleet == [])
  }

  @Test func aBudgetThatJoinsAnotherLeavesNothingOfItsFleet() throws {
    let fixture = try LedgerFixture()
    let (old, new) = (fixture.budget(0), fixture.budget(1))
    #expect(fixture.record(amount, slots: [0]) == .recorded)
    #expect(fixture.record(amount, slots: [1]) == .recorded)
    try fixture.ledger.remember([fixture.fleetWindow(0, from: 1_700_000_000_000)])
    fixture.ledger.rename(from: old, to: new)
    let changes = try fixture.ledger.changes()
    #expect(changes.totals.map(\.window.key) == [new])
    #expect(changes.totals.map(\.amount.pico) == [2 * amount.pico])
    #expect(changes.fleet == [])
    #expect(fixture.ledger.state == .ready)
  }

  @Test func aLedgerThatFailedOrClosedSaysSo() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.commit, code: 1_034)
    fixture.probe.fail(.open, code: 10)
    fixture.submit(amount)
    #expect(fixture.client.wait())
    #expect(throws: LedgerError.closed) { try fixture.ledger.changes() }
    #expect(throws: LedgerError.closed) {
      try fixture.ledger.adopt([fixture.adoption(0, moving: [], to: 5)])
    }
    fixture.ledger.close()
    #expect(throws: LedgerError.closed) { try fixture.ledger.changes() }
    #expect(throws: LedgerError.closed) {
      try fixture.ledger.remember([fixture.fleetWindow(0, from: 5)])
    }
  }
}
