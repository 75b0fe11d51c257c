import BudgetModel
import Dispatch
import Testing

@testable import SpendLedger

/// The sums that reservations keep back, over restarts.
@Suite struct HeldTests {
  private func key(_ number: Int) -> BudgetKey {
    BudgetKey(scope: .provider, name: "p\(number)", windowText: "1d")
  }

  private func sum(_ until: Int64, _ dollars: Int64, ends: Int64? = nil) -> HeldSum {
    HeldSum(
      untilSeconds: 1_700_000_000 + until, endsSeconds: 1_700_000_000 + (ends ?? until),
      amount: PicoUSD(dollars: dollars))
  }

  private func held(_ opening: LedgerOpening) -> [BudgetKey: [HeldSum]] {
    var found: [BudgetKey: [HeldSum]] = [:]
    for held in opening.held { found[held.key] = held.sums }
    return found
  }

  @Test func aStartFindsTheLastWordOnEachBudget() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.ledger.opening.held.isEmpty)
    fixture.ledger.note([
      HeldBudget(key: key(0), sums: [sum(10, 1)]),
      HeldBudget(key: key(1), sums: [sum(5, 7), sum(100, 2)]),
    ])
    #expect(fixture.ledger.settle())
    fixture.ledger.note([
      HeldBudget(key: key(0), sums: []), HeldBudget(key: key(2), sums: []),
      HeldBudget(key: key(3), sums: [sum(50, 3, ends: 60), sum(50, 4, ends: 70)]),
    ])
    try fixture.restart()
    let found = held(fixture.ledger.opening)
    #expect(
      found == [
        key(1): [sum(5, 7), sum(100, 2)],
        key(3): [sum(50, 3, ends: 60), sum(50, 4, ends: 70)],
      ])
    // Those whose time is over are forgotten, and go.
    fixture.client.advance(milliseconds: 60_000)
    try fixture.restart()
    #expect(
      held(fixture.ledger.opening)
        == [key(1): [sum(100, 2)], key(3): [sum(50, 4, ends: 70)]])
    fixture.client.advance(milliseconds: 60_000)
    try fixture.restart()
    #expect(fixture.ledger.opening.held.isEmpty)
  }

  @Test func aCommitTakesThemAlong() throws {
    let fixture = try LedgerFixture()
    fixture.client.closeGate()
    fixture.submit(PicoUSD(dollars: 1))
    #expect(fixture.client.atGate.wait(timeout: .now() + 10) == .success)
    fixture.ledger.note([HeldBudget(key: key(4), sums: [sum(10, 1)])])
    fixture.client.openGate()
    #expect(fixture.client.wait())
    // Notes come behind the records that were taken with them: the second commit has it for certain.
    for _ in 0..<2 { #expect(fixture.record(PicoUSD(dollars: 1)) == .recorded) }
    // A kill: nothing was settled, nothing folded.
    #expect(held(try fixture.afterKill()) == [key(4): [sum(10, 1)]])
  }

  @Test func anIdleLedgerWritesThemSoon() throws {
    let fixture = try LedgerFixture { $0.foldInterval = .milliseconds(10) }
    fixture.ledger.note([HeldBudget(key: key(0), sums: [sum(10, 1)])])
    let deadline = ContinuousClock.now + .seconds(10)
    while held(try fixture.afterKill()).isEmpty, ContinuousClock.now < deadline {}
    #expect(held(try fixture.afterKill()) == [key(0): [sum(10, 1)]])
  }

  @Test func aRefusedTransactionLosesNone() throws {
    let fixture = try LedgerFixture()
    fixture.ledger.note([HeldBudget(key: key(0), sums: [sum(10, 1)])])
    fixture.probe.fail(.write, code: 13)
    #expect(!fixture.ledger.settle())
    #expect(fixture.ledger.settle())
    #expect(held(try fixture.afterKill()) == [key(0): [sum(10, 1)]])
  }

  @Test func expectationsAreRemembered() throws {
    let fixture = try LedgerFixture()
    let first = LearnedCost(key: .max, count: 3, mean: 0.1, variance: 1e-9)
    let second = LearnedCost(key: 7, count: 1_000_000, mean: 12.5, variance: 0)
    fixture.ledger.note([first, second])
    fixture.ledger.note([LearnedCost(key: 7, count: 9, mean: 1, variance: 2)])
    try fixture.restart()
    #expect(
      Set(fixture.ledger.opening.learned)
        == [first, LearnedCost(key: 7, count: 9, mean: 1, variance: 2)])
  }

  @Test func aRenamedBudgetKeepsWhatIsReserved() throws {
    let fixture = try LedgerFixture()
    fixture.ledger.note([HeldBudget(key: key(0), sums: [sum(10, 1)])])
    #expect(fixture.ledger.settle())
    let renamed = BudgetKey(scope: .provider, name: "p0", windowText: "24h")
    fixture.ledger.rename(from: key(0), to: renamed)
    #expect(fixture.ledger.settle())
    #expect(held(try fixture.afterKill()) == [renamed: [sum(10, 1)]])
  }

  @Test func aSumThatHasChangedOnTheDiskIsFound() throws {
    let fixture = try LedgerFixture()
    fixture.ledger.note([HeldBudget(key: key(0), sums: [sum(10, 1)])])
    fixture.ledger.close()
    try fixture.change("UPDATE held SET dollars = 2")
    #expect(throws: LedgerError.self) { try fixture.restart() }
  }
}
