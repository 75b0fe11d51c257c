import BudgetModel
import Foundation
import Locks
import Testing

@testable import SpendLedger

/// When the ledger's thread is woken.
@Suite struct RecordQueueTests {
  private static let hour: Int64 = 3_600_000_000_000

  /// A queue that takes records, and somebody who takes them from it on a thread of his own.
  private final class Reader: Sendable {
    let queue = RecordQueue(recordBound: 100, byteBound: 1 << 20)
    private let taken = Promise<Int>()

    init() {
      queue.add(.start(TestClient()))
      var first = RecordQueue.Take()
      queue.take(into: &first, gathering: nil, waiting: 0)
    }

    func start(_ gathering: RecordQueue.Gathering?) {
      Thread {
        var take = RecordQueue.Take()
        self.queue.take(into: &take, gathering: gathering, waiting: RecordQueueTests.hour)
        self.taken.fulfil(take.records.count)
      }.start()
    }

    func add(_ count: Int) {
      for _ in 0..<count {
        let record = LedgerRecord(amount: .zero, token: LedgerToken(high: 0, low: 0))
        if queue.add(record, slots: [1], isClaimed: false) != nil { Issue.record("refused") }
      }
    }

    func wait() -> Int { taken.wait() }
  }

  private static func gathering(_ enough: Int, for nanoseconds: Int64) -> RecordQueue.Gathering {
    RecordQueue.Gathering(
      enough: enough, until: SystemCalls.monotonicNanoseconds() + nanoseconds)
  }

  @Test func aRecordWakesAReaderThatDoesNotGather() {
    let reader = Reader()
    reader.start(nil)
    reader.add(1)
    #expect(reader.wait() == 1)
  }

  @Test func enoughRecordsEndTheGathering() {
    let reader = Reader()
    reader.start(Self.gathering(5, for: Self.hour))
    reader.add(5)
    #expect(reader.wait() == 5, "the hour is not waited for, and no record taken alone")
  }

  @Test func aCommandEndsTheGathering() {
    let reader = Reader()
    reader.start(Self.gathering(50, for: Self.hour))
    reader.add(3)
    _ = reader.queue.ask(.settle(reply: Promise<Bool>()))
    #expect(reader.wait() == 3)
  }

  @Test func theEndOfTheTimeEndsTheGathering() {
    let reader = Reader()
    reader.add(2)
    reader.start(Self.gathering(50, for: -1))
    #expect(reader.wait() == 2)
  }

  @Test func closingEndsTheGathering() {
    let reader = Reader()
    reader.add(1)
    reader.start(Self.gathering(50, for: Self.hour))
    reader.queue.close(.closing, ends: true)
    #expect(reader.wait() == 1)
  }

  @Test func whatWasTakenIsNotTakenAgain() {
    let reader = Reader()
    var take = RecordQueue.Take()
    for round in 1...3 {
      reader.add(round)
      reader.queue.take(into: &take, gathering: nil, waiting: 0)
      #expect(take.records.count == round && take.slots.count == round)
      reader.queue.finished(records: round, bytes: 0, isLast: true)
    }
    reader.queue.take(into: &take, gathering: nil, waiting: 0)
    #expect(take.records.isEmpty && take.slots.isEmpty && take.commands.isEmpty)
  }
}
