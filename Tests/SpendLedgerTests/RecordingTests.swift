import BudgetModel
import Foundation
import Locks
import Synchronization
import Testing

@testable import SpendLedger

@Suite struct RecordingTests {
  @Test func whatWasRecordedIsThereAfterAKillAndAfterARestart() throws {
    let fixture = try LedgerFixture()
    let cents = PicoUSD(pico: 10_000_000_001)
    #expect(fixture.record(cents, slots: [0, 3]) == .recorded)
    #expect(fixture.record(cents, slots: [3]) == .recorded)
    let killed = try fixture.afterKill()
    #expect(killed.spend(of: "p0") == cents)
    #expect(killed.spend(of: "p3") == cents + cents)
    #expect(killed.origin.hasPrefix(killed.nodeID + "."))
    #expect(killed.nodeID == fixture.ledger.opening.nodeID)
    #expect(killed.origin != fixture.ledger.opening.origin)
    #expect(killed.wasCopied)
    try fixture.restart()
    #expect(fixture.ledger.opening.spend(of: "p3") == cents + cents)
    #expect(fixture.record(cents, slots: [3]) == .recorded)
    #expect(try fixture.afterKill().spend(of: "p3")?.pico == 3 * cents.pico)
    #expect(!fixture.ledger.opening.wasCopied && !fixture.ledger.opening.isNew)
  }

  /// The fleet's store may still know the last lives: the next one ends what they left there.
  @Test func theLastLivesAreNamed() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.ledger.opening.endedOrigins == [])
    var lives: [String] = []
    for _ in 0..<10 {
      lives.append(fixture.ledger.opening.origin)
      try fixture.restart()
    }
    #expect(fixture.ledger.opening.endedOrigins == Array(lives.reversed().prefix(8)))
  }

  /// Kills the mutant that tells the client before the COMMIT.
  @Test func theOutcomeIsToldAfterTheCommit() throws {
    let fixture = try LedgerFixture { $0.foldInterval = .seconds(3_600) }
    fixture.client.heard.withLock { $0.order = [] }
    for index in 0..<20 { #expect(fixture.record(PicoUSD(pico: 1), key: "k\(index)") == .recorded) }
    let order = fixture.client.heard.withLock { $0.order }
    #expect(order == Array(repeating: ["committed", "finished"], count: 20).flatMap { $0 })
  }

  /// Kills the mutants "a balance without its key" and "a key without its balance": both lie in one
  /// row, so that no instant has the one and not the other.
  @Test func keyAndBalanceAreOnDiskTogetherOrNotAtAll() throws {
    let fixture = try LedgerFixture { $0.foldInterval = .seconds(3_600) }
    for index in 1...10 {
      if index == 5 { fixture.probe.fail(.commit, code: 13) }
      let outcome = fixture.record(PicoUSD(pico: 1), key: "k\(index)")
      #expect(outcome == (index == 5 ? .notRecorded(.diskFull) : .recorded))
      let killed = try fixture.afterKill()
      #expect(Int128(killed.keyCount) == killed.spend(of: "p0")?.pico ?? 0, "after \(index)")
    }
  }

  @Test func whatWaitsIsCommittedAtOnceAndBounded() throws {
    let fixture = try LedgerFixture { $0.batchBound = 10 }
    fixture.client.closeGate()
    fixture.submit(PicoUSD(pico: 1))
    fixture.client.atGate.wait()
    for _ in 0..<25 { fixture.submit(PicoUSD(pico: 1)) }
    #expect(fixture.ledger.lag > .zero)
    fixture.client.openGate()
    #expect(fixture.client.wait(26))
    #expect(fixture.client.heard.withLock { $0.batchSizes } == [1, 10, 10, 5])
    #expect(try fixture.afterKill().spend(of: "p0")?.pico == 26)
  }

  @Test func aFullQueueRefusesDefinitely() throws {
    let fixture = try LedgerFixture { $0.queueRecordBound = 3 }
    fixture.client.closeGate()
    fixture.submit(PicoUSD(pico: 1), key: "a")
    fixture.client.atGate.wait()
    #expect(!fixture.ledger.isHalfFull)
    fixture.submit(PicoUSD(pico: 1), key: "b")
    fixture.submit(PicoUSD(pico: 1), key: "c")
    #expect(fixture.ledger.isHalfFull)
    let key = LedgerFixture.key("d", cost: PicoUSD(pico: 1))
    let fourth = LedgerRecord(
      amount: PicoUSD(pico: 1), key: key, token: LedgerToken(high: 0, low: 99))
    #expect(fixture.ledger.submit(fourth, charging: [0]) == .refused(.queueFull))
    let now = fixture.client.now()
    #expect(fixture.ledger.accept(fourth, charging: [0], at: now) == .refused(.queueFull))
    fixture.client.openGate()
    #expect(fixture.client.wait(3))
    #expect(fixture.record(PicoUSD(pico: 1), key: "d") == .recorded, "its key was left free")
    #expect(fixture.ledger.counters.refusedAtQueue == 2)
  }

  @Test func aRecordWithoutBudgetsIsRememberedByItsKeyAlone() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(PicoUSD(pico: 5), slots: []) == .recorded)
    #expect(fixture.record(PicoUSD(pico: 5), key: "k", slots: []) == .recorded)
    try fixture.restart()
    #expect(fixture.record(PicoUSD(pico: 5), key: "k", slots: []) == .duplicate)
    #expect(fixture.ledger.opening.windows.isEmpty)
  }

  @Test func theLargestAmountsAddUpExactly() throws {
    let fixture = try LedgerFixture()
    for _ in 0..<100_000 {
      if fixture.ledger.counters.waiting > 60_000 { _ = fixture.client.wait(10_000) }
      fixture.submit(.maximumRecord)
    }
    fixture.submit(PicoUSD(pico: 1))
    fixture.ledger.close()
    let exact = PicoUSD(pico: PicoUSD.maximumRecord.pico * 100_000 + 1)
    #expect(try fixture.afterKill().spend(of: "p0") == exact)
  }

  @Test func aTotalOutOfRangeIsRefusedAndChangesNothing() throws {
    let fixture = try LedgerFixture { $0.totalBound = PicoUSD(pico: 100) }
    #expect(fixture.record(PicoUSD(pico: 60), slots: [0, 1]) == .recorded)
    #expect(
      fixture.record(PicoUSD(pico: 41), key: "k", slots: [1, 2]) == .notRecorded(.totalTooLarge))
    #expect(fixture.record(PicoUSD(pico: 40), key: "k", slots: [1, 2]) == .recorded)
    #expect(try fixture.afterKill().spend(of: "p1")?.pico == 100)
  }

  @Test func theLargestTotalFitsItsColumns() {
    var balances = Balances()
    let place = balances.add(
      Balances.Entry(
        key: BalanceKey(budget: 1, start: 1), end: 2, amount: PicoUSD.maximumTotal))
    balances.undo(PicoUSD(pico: 1), at: place)
    #expect(balances.entries[place].amount.wholeDollars == 999_999_999_999_999_999)
    #expect(balances.entries[place].amount.restPico == 999_999_999_999)
  }

  @Test func windowsThatOpenedWithoutAChargeSurvive() throws {
    let fixture = try LedgerFixture()
    let now = fixture.client.now()
    let window = BudgetWindow(
      key: BudgetKey(scope: .tag, name: "t", windowText: "1h"), start: now,
      end: Timestamp(unixMilliseconds: now.unixMilliseconds + 3_600_000))
    fixture.ledger.noteOpened([window])
    try fixture.restart()
    #expect(fixture.ledger.opening.windows == [SpentWindow(window: window, spend: .zero)])
    let early = Timestamp(unixMilliseconds: now.unixMilliseconds + 5)
    fixture.ledger.noteClosed(window.key, at: early)
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.first?.window.end == early)
  }

  @Test func aRenamedBudgetKeepsItsSpend() throws {
    let fixture = try LedgerFixture()
    let amount = PicoUSD(pico: 7)
    #expect(fixture.record(amount) == .recorded)
    let old = fixture.client.heard.withLock { $0.keys[0] }
    let new = BudgetKey(scope: .provider, name: "p0", windowText: "24h")
    fixture.client.heard.withLock { $0.keys[0] = new }
    // Records labelled with the new key may overtake the renaming: both are joined.
    #expect(fixture.record(amount) == .recorded)
    fixture.ledger.rename(from: old, to: new)
    #expect(fixture.record(amount) == .recorded)
    fixture.ledger.rename(from: old, to: new)
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.map(\.window.key) == [new])
    #expect(fixture.ledger.opening.spend(of: "p0")?.pico == 21)
    fixture.ledger.rename(from: new, to: old)
    fixture.client.heard.withLock { $0.keys[0] = old }
    #expect(fixture.record(amount) == .recorded)
    #expect(try fixture.afterKill().windows.map(\.window.key) == [old])
    #expect(try fixture.afterKill().spend(of: "p0")?.pico == 28)
  }

  /// A slot is handed out again: what is charged to it from then on is the next budget's.
  @Test func aSlotsNextBudgetHasItsOwnSpend() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(PicoUSD(pico: 7)) == .recorded)
    fixture.client.heard.withLock {
      $0.keys[0] = BudgetKey(scope: .provider, name: "p9", windowText: "1d")
    }
    #expect(fixture.record(PicoUSD(pico: 5)) == .recorded)
    let found = try fixture.afterKill()
    #expect(found.spend(of: "p0")?.pico == 7 && found.spend(of: "p9")?.pico == 5)
  }

  @Test func theTimeOfTheLastCommitIsStored() throws {
    let fixture = try LedgerFixture { $0.clockInterval = .zero }
    fixture.client.advance(milliseconds: 5_000)
    #expect(fixture.record(PicoUSD(pico: 1)) == .recorded)
    let last = fixture.client.now()
    fixture.client.advance(milliseconds: -60_000)
    let killed = try fixture.afterKill()
    #expect(killed.time.time == last)
    #expect(killed.time.source == .clamped(milliseconds: 60_000))
    fixture.client.advance(milliseconds: 60_000)
  }

  @Test func windowsThatEndedLongAgoArePruned() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(PicoUSD(pico: 1)) == .recorded)
    fixture.client.advance(milliseconds: 36 * 86_400_000)
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.count == 1, "35 days after its end, not its start")
    fixture.client.advance(milliseconds: 86_400_000)
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.isEmpty)
  }

  /// A window that a refused record names beside the full one is not opened by its batch.
  @Test func aRefusedRecordOpensNoWindow() throws {
    let fixture = try LedgerFixture { $0.totalBound = PicoUSD(pico: 100) }
    #expect(fixture.record(PicoUSD(pico: 90)) == .recorded)
    fixture.client.closeGate()
    let first = fixture.submit(PicoUSD(pico: 1), key: "first", slots: [3])
    let tooLarge = fixture.submit(PicoUSD(pico: 20), key: "large", slots: [0, 1])
    let free = fixture.submit(.zero, key: "free", slots: [2])
    fixture.client.openGate()
    #expect(fixture.client.wait(3))
    #expect(fixture.client.outcome(first) == .recorded)
    #expect(fixture.client.outcome(tooLarge) == .notRecorded(.totalTooLarge))
    #expect(fixture.client.outcome(free) == .recorded)
    try fixture.restart()
    let found = fixture.ledger.opening.windows.map(\.window.key.name).sorted()
    #expect(found == ["p0", "p2", "p3"], "a cost of zero opens its window")
  }
}
