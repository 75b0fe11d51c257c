import BudgetModel
import Locks
import Testing

@testable import SpendLedger

@Suite struct AdoptionTests {
  private let amount = PicoUSD(pico: 42)

  @Test func spendMovesToTheFleetsWindowAndChargesFollow() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    let start = own.start.unixMilliseconds - 5_000
    var told = Told()
    told.take(try fixture.ledger.changes())
    #expect(fixture.record(amount) == .recorded)
    let adoption = fixture.adoption(0, moving: [own.start], to: start)
    try fixture.ledger.adopt([adoption])
    told.moved([own.start.unixMilliseconds], ofBudget: "p0")
    let adopted = fixture.client.heard.withLock { $0.adopted }
    #expect(
      adopted == [
        AdoptedWindow(
          spent: SpentWindow(
            window: adoption.record.window, spend: PicoUSD(pico: 2 * amount.pico)),
          others: .zero, replaced: [own.start])
      ])
    #expect(fixture.record(amount) == .recorded)
    told.take(try fixture.ledger.changes())
    let name = WindowName(budget: "p0", start: start)
    #expect(told.amounts == [name: 3 * amount.pico])
    #expect(try fixture.amountsAfterKill() == told.amounts)
    let opening = try fixture.afterKill()
    #expect(opening.fleet == [adoption.record])
    #expect(opening.openWindows.map(\.window) == [adoption.record.window])
  }

  @Test func aResetEndsWhatWasAndBeginsWithItsAmount() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    let start = own.start.unixMilliseconds + 1_000
    var adoption = fixture.adoption(0, moving: [], closing: [own.start], to: start)
    adoption.reset = WindowReset(
      amount: PicoUSD(pico: 7), others: .zero, isInFleet: true, notes: ChangeNotes())
    try fixture.ledger.adopt([adoption])
    #expect(fixture.client.heard.withLock { $0.adopted.last?.spent.spend.pico } == 7)
    #expect(fixture.record(amount) == .recorded)
    // A commit in doubt is done again: what was recorded since is there already.
    try fixture.ledger.adopt([adoption])
    #expect(fixture.client.heard.withLock { $0.adopted.last?.spent.spend.pico } == 49)
    let (old, new) = (
      WindowName(budget: "p0", start: own.start.unixMilliseconds),
      WindowName(budget: "p0", start: start)
    )
    #expect(try fixture.amountsAfterKill() == [old: amount.pico, new: 7 + amount.pico])
    let windows = try fixture.ledger.history(of: [HistoryQuestion(fixture.budget(0), count: 5)])[0]
    #expect(windows.map(\.window.end.unixMilliseconds).contains(start - 1))
    let opening = try fixture.afterKill()
    #expect(opening.fleet.map(\.window.start.unixMilliseconds) == [start])
  }

  @Test func everyLifesSpendMovesAndEachKeepsItsName() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let before = fixture.ledger.opening.origin
    try fixture.restart()
    #expect(fixture.record(PicoUSD(pico: 7)) == .recorded)
    _ = try fixture.ledger.changes()
    let own = try #require(fixture.openWindow(0))
    try fixture.ledger.adopt([fixture.adoption(0, moving: [own.start], to: 1_699_999_999_000)])
    let changes = try fixture.ledger.changes()
    #expect(!changes.isComplete)
    let totals = Dictionary(uniqueKeysWithValues: changes.totals.map { ($0.origin, $0.amount) })
    #expect(totals == [before: amount, fixture.ledger.opening.origin: PicoUSD(pico: 7)])
    #expect(changes.totals.allSatisfy { $0.window.start.unixMilliseconds == 1_699_999_999_000 })
    #expect(fixture.client.heard.withLock { $0.adopted.first?.spent.spend.pico } == 49)
  }

  @Test func repeatingChangesNothing() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    let adoption = fixture.adoption(0, moving: [own.start], to: 1_699_999_999_000)
    for _ in 0..<3 {
      try fixture.ledger.adopt([adoption])
      let adopted = fixture.client.heard.withLock { $0.adopted.last }
      #expect(adopted?.spent.spend == amount)
    }
    // The window itself among those that move: nothing does.
    let again = fixture.adoption(
      0, moving: [Timestamp(unixMilliseconds: 1_699_999_999_000)], to: 1_699_999_999_000)
    try fixture.ledger.adopt([again])
    let name = WindowName(budget: "p0", start: 1_699_999_999_000)
    #expect(try fixture.amountsAfterKill() == [name: amount.pico])
  }

  @Test func theFleetsEndIsTheWindowsEnd() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    for length in [Int64(90_000_000), 3_000, 80_000_000] {
      var adoption = fixture.adoption(0, moving: [], to: own.start.unixMilliseconds)
      adoption.record.window.end.unixMilliseconds = own.start.unixMilliseconds + length
      try fixture.ledger.adopt([adoption])
      #expect(
        try fixture.afterKill().windows.map(\.window.end) == [adoption.record.window.end])
      #expect(fixture.record(amount) == .recorded)
      #expect(try fixture.afterKill().fleet == [adoption.record])
    }
  }

  @Test func windowsThatCloseEndNowWithTheirSpend() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    _ = try fixture.ledger.changes()
    fixture.client.advance(milliseconds: 10_000)
    let start = own.start.unixMilliseconds + 5_000
    try fixture.ledger.adopt([
      fixture.adoption(0, moving: [], closing: [own.start], to: start)
    ])
    let told = try fixture.ledger.changes().totals
    #expect(told.map(\.window.end) == [fixture.client.now()])
    #expect(fixture.record(PicoUSD(pico: 7)) == .recorded)
    fixture.client.advance(milliseconds: 1)
    let opening = try fixture.afterKill()
    #expect(opening.openWindows.map(\.spend.pico) == [7])
    #expect(
      try fixture.amountsAfterKill() == [
        WindowName(budget: "p0", start: own.start.unixMilliseconds): 42,
        WindowName(budget: "p0", start: start): 7,
      ])
  }

  @Test func aWindowOfTheFleetThatClosesIsNotFoundOpen() throws {
    let fixture = try LedgerFixture()
    let (first, second) = (Int64(1_699_999_000_000), Int64(1_699_999_500_000))
    try fixture.ledger.adopt([fixture.adoption(0, moving: [], to: first)])
    try fixture.ledger.adopt([
      fixture.adoption(
        0, moving: [], closing: [Timestamp(unixMilliseconds: first)], to: second)
    ])
    let fleet = try fixture.afterKill().fleet
    #expect(fleet.map(\.window.start.unixMilliseconds) == [first, second])
    #expect(fleet.first?.window.end == fixture.client.now())
    // Moved, it is gone.
    try fixture.ledger.adopt([
      fixture.adoption(0, moving: [Timestamp(unixMilliseconds: second)], to: first)
    ])
    #expect(try fixture.afterKill().fleet.map(\.window.start.unixMilliseconds) == [first])
  }

  @Test func moreThanAWindowMayHoldIsRefusedAndNothingMoves() throws {
    let fixture = try LedgerFixture { $0.totalBound = PicoUSD(pico: 100) }
    #expect(fixture.record(PicoUSD(pico: 60)) == .recorded)
    let own = try #require(fixture.openWindow(0))
    let start = Int64(1_699_999_000_000)
    try fixture.ledger.adopt([fixture.adoption(0, moving: [own.start], to: start)])
    fixture.client.heard.withLock { $0.open[0] = own }
    #expect(fixture.record(PicoUSD(pico: 60)) == .recorded)
    let before = try fixture.amountsAfterKill()
    #expect(throws: LedgerError.self) {
      try fixture.ledger.adopt([
        fixture.adoption(1, moving: [], to: start),
        fixture.adoption(0, moving: [own.start], to: start),
      ])
    }
    #expect(try fixture.amountsAfterKill() == before)
    #expect(try fixture.afterKill().fleet.count == 1)
    #expect(fixture.ledger.state == .ready)
    #expect(fixture.client.heard.withLock { $0.adopted.count } == 1)
  }

  @Test(arguments: [(StorageStep.write, Int32(13)), (.write, 778), (.commit, 13)])
  func aDefiniteFailureChangesNothing(step: StorageStep, code: Int32) throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    _ = try fixture.ledger.changes()
    let before = try fixture.amountsAfterKill()
    fixture.probe.fail(step, code: code)
    let adoption = fixture.adoption(0, moving: [own.start], to: 1_699_999_999_000)
    #expect(throws: LedgerError.self) { try fixture.ledger.adopt([adoption]) }
    #expect(try fixture.amountsAfterKill() == before)
    #expect(fixture.client.heard.withLock { $0.adopted } == [])
    #expect(try fixture.ledger.changes().totals == [])
    #expect(fixture.record(amount) == .recorded)
    try fixture.ledger.adopt([adoption])
    let name = WindowName(budget: "p0", start: 1_699_999_999_000)
    #expect(try fixture.amountsAfterKill() == [name: 2 * amount.pico])
  }

  /// The COMMIT ended in doubt: the next news are complete, and repeating puts it right, whatever
  /// the file had, also with charges that came to the old window meanwhile.
  @Test(arguments: [StorageStep.commit, .committed])
  func aDoubtIsPutRightByRepeating(step: StorageStep) throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    let own = try #require(fixture.openWindow(0))
    _ = try fixture.ledger.changes()
    fixture.probe.fail(step, code: 1_034)
    let adoption = fixture.adoption(0, moving: [own.start], to: 1_699_999_999_000)
    #expect(throws: LedgerError.self) { try fixture.ledger.adopt([adoption]) }
    #expect(fixture.record(amount) == .recorded)
    let changes = try fixture.ledger.changes()
    #expect(changes.isComplete)
    #expect(changes.totals.reduce(0) { $0 + $1.amount.pico } == 2 * amount.pico)
    #expect(changes.fleet.isEmpty == (step == .commit))
    try fixture.ledger.adopt([adoption])
    let name = WindowName(budget: "p0", start: 1_699_999_999_000)
    #expect(try fixture.amountsAfterKill() == [name: 2 * amount.pico])
    #expect(fixture.client.heard.withLock { $0.adopted.last?.spent.spend.pico } == 84)
  }

  @Test func thousandsAreAdoptedInSlices() throws {
    let fixture = try LedgerFixture()
    let adoptions = (0..<1_100).map { number in
      var adoption = fixture.adoption(0, moving: [], to: 1_699_999_999_000)
      adoption.record.window.key.name = "q\(number)"
      return adoption
    }
    try fixture.ledger.adopt(adoptions)
    #expect(fixture.client.heard.withLock { $0.adopted.count } == 1_100)
    #expect(try fixture.afterKill().fleet.count == 1_100)
  }
}
