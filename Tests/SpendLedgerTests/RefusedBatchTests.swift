import BudgetModel
import Dispatch
import Testing

@testable import SpendLedger

/// A batch that was refused, or that nobody knew about for a while, leaves nothing behind.
@Suite struct RefusedBatchTests {
  private let amount = PicoUSD(pico: 42)
  private static let fsyncFailed: Int32 = 1_034

  @Test func aRefusedBatchOpensNoWindow() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.write, code: 13)
    #expect(fixture.record(amount, key: "k", slots: [3]) == .notRecorded(.diskFull))
    #expect(fixture.ledger.counters.keys == 0, "its key is free")
    #expect(fixture.record(amount, slots: [0]) == .recorded)
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.map(\.window.key.name) == ["p0"])
    #expect(fixture.ledger.opening.spend(of: "p0") == amount)
  }

  /// The refused batch's window is gone from memory, and its place is another's; the budget is
  /// charged to the same window all the same.
  @Test func aWindowOfARefusedBatchHasAPlaceOfItsOwnAgain() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.write, code: 13)
    #expect(fixture.record(amount, slots: [3]) == .notRecorded(.diskFull))
    #expect(fixture.record(amount, slots: [0]) == .recorded)
    #expect(fixture.record(PicoUSD(pico: 5), slots: [3]) == .recorded)
    try fixture.restart()
    #expect(fixture.ledger.opening.spend(of: "p0") == amount)
    #expect(fixture.ledger.opening.spend(of: "p3")?.pico == 5)
  }

  /// A window that is there already keeps what it holds, and nothing of the refused batch.
  @Test func aRefusedBatchAddsNothingToTheNextFold() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount) == .recorded)
    for _ in 0..<3 {
      fixture.probe.fail(.commit, code: 13)
      #expect(fixture.record(amount) == .notRecorded(.diskFull))
    }
    #expect(fixture.ledger.settle())
    #expect(try fixture.afterKill().spend(of: "p0") == amount)
  }

  @Test func aKeyThatWasRefusedForItsTimeIsFree() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.ledger.counters.keys == 0)
    guard case .tooOld = fixture.record(amount, key: "00000000-0001-7000-8000-000000000001") else {
      Issue.record("a key of 1970 was taken")
      return
    }
    #expect(fixture.ledger.counters.keys == 0)
    #expect(try fixture.afterKill().windows.isEmpty)
  }

  @Test func aKeyWhoseTotalWouldBeTooLargeIsFree() throws {
    let fixture = try LedgerFixture { $0.totalBound = PicoUSD(pico: 100) }
    #expect(fixture.record(PicoUSD(pico: 60)) == .recorded)
    #expect(fixture.record(PicoUSD(pico: 41), key: "k") == .notRecorded(.totalTooLarge))
    #expect(fixture.ledger.counters.keys == 0)
  }

  @Test func aKeyThatTheQueueRefusedIsFree() throws {
    let fixture = try LedgerFixture { $0.queueRecordBound = 0 }
    let record = LedgerRecord(
      amount: amount, key: LedgerFixture.key("k", cost: amount),
      token: LedgerToken(high: 0, low: 1))
    let now = fixture.client.now()
    #expect(fixture.ledger.accept(record, charging: [0], at: now) == .refused(.queueFull))
    #expect(fixture.ledger.counters.keys == 0)
  }

  @Test func windowsThatWereNotedOutliveADoubt() throws {
    let fixture = try LedgerFixture()
    let now = fixture.client.now()
    let window = BudgetWindow(
      key: BudgetKey(scope: .tag, name: "t", windowText: "1h"), start: now,
      end: Timestamp(unixMilliseconds: now.unixMilliseconds + 3_600_000))
    fixture.ledger.noteOpened([window])
    fixture.probe.fail(.commit, code: Self.fsyncFailed)
    #expect(fixture.record(amount) == .unknown)
    #expect(fixture.client.wait())
    try fixture.restart()
    #expect(
      fixture.ledger.opening.windows.contains(SpentWindow(window: window, spend: .zero)))
  }

  @Test func aRetryInABatchInDoubtIsADuplicateOfWhatWasRecorded() throws {
    let fixture = try LedgerFixture()
    fixture.client.closeGate()
    fixture.submit(amount)
    fixture.client.atGate.wait()
    let first = fixture.submit(amount, key: "k")
    let second = fixture.submit(amount, key: "k")
    // The batch at the gate is committed; the one behind it reports an error after its commit.
    fixture.client.openGate()
    #expect(fixture.client.wait(3))
    #expect(fixture.client.outcome(second) == .duplicate)
    let batch = Self.batch([.unknown, .unknown, .mismatch])
    let recorded = batch.resolved(asRecorded: true, followers: [1], refusal: .diskFull)
    #expect((0..<3).map(recorded.outcome) == [.recorded, .duplicate, .mismatch])
    let lost = batch.resolved(asRecorded: false, followers: [1], refusal: .diskFull)
    #expect(
      (0..<3).map(lost.outcome)
        == [.notRecorded(.diskFull), .notRecorded(.diskFull), .mismatch])
    #expect(fixture.client.outcome(first) == .recorded)
  }

  /// However many of its records charge a budget, a batch asks for its window once.
  @Test func aBatchNamesEachBudgetOnce() {
    var plan = BatchPlan()
    let slots: [Int32] = [4, 2, 2, 4, 4]
    for amount in [Int128(1), 100] {
      plan.begin()
      let records = [(0, 2), (2, 1), (3, 2)].map { first, count in
        QueuedRecord(
          LedgerRecord(amount: PicoUSD(pico: amount), token: LedgerToken(high: 0, low: 0)),
          firstSlot: first, slotCount: count, isClaimed: false)
      }
      plan.places = [0, 1, 2]
      plan.leaders = [0, 1]
      plan.collectSlots(of: records, slots)
      plan.sumUp(records, slots)
      #expect(plan.slots == [4, 2])
      #expect(plan.sums.map { $0?.pico } == [amount, 2 * amount])
      #expect(plan.position(of: 2) == 1)
    }
  }

  private static func batch(_ outcomes: [LedgerOutcome]) -> LedgerBatch {
    let records = outcomes.indices.map {
      QueuedRecord(
        LedgerRecord(amount: .zero, token: LedgerToken(high: 0, low: UInt64($0))),
        firstSlot: 0, slotCount: 0, isClaimed: false)
    }
    return LedgerBatch(
      now: Timestamp(unixMilliseconds: 0), records: records, slots: [],
      places: outcomes.indices.map(Int32.init), outcomes: outcomes)
  }

  /// Records that were accepted wait behind the batch that fails the ledger: they are told so, and
  /// their keys are nobody's.
  @Test func aLedgerThatFailedKeepsNoClaims() throws {
    let fixture = try LedgerFixture()
    fixture.client.closeGate()
    fixture.submit(amount)
    fixture.client.atGate.wait()
    let record = LedgerRecord(
      amount: amount, key: LedgerFixture.key("k", cost: amount),
      token: LedgerToken(high: 0, low: 900))
    let now = fixture.client.now()
    #expect(fixture.ledger.accept(record, charging: [0], at: now) == .accepted)
    fixture.probe.fail(.open, code: 10)
    fixture.probe.fail(.commit, code: Self.fsyncFailed)
    fixture.client.openGate()
    #expect(fixture.client.wait(2))
    #expect(fixture.client.outcome(900) == .notRecorded(.failed))
    #expect(fixture.ledger.counters.keys == 0)
  }
}
