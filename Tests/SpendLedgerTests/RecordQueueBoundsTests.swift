import BudgetModel
import Locks
import Testing

@testable import SpendLedger

/// How much may wait: records, and bytes.
@Suite struct RecordQueueBoundsTests {
  /// A queue that takes records, with its reader.
  private final class Queue {
    private let queue: RecordQueue
    var take = RecordQueue.Take()

    init(records: Int, bytes: Int) {
      queue = RecordQueue(recordBound: records, byteBound: bytes)
      queue.add(.start(TestClient()))
      takeAll()
    }

    var numbers: (waiting: Int, refused: UInt64) { queue.numbers }
    var isHalfFull: Bool { queue.isHalfFull }
    var lag: Duration { queue.lag }

    func add(slots: Int) -> LedgerRefusal? { add([Int32](repeating: 1, count: slots)) }

    func add(_ slots: [Int32]) -> LedgerRefusal? {
      let record = LedgerRecord(amount: .zero, token: LedgerToken(high: 0, low: 0))
      return queue.add(record, slots: slots, isClaimed: false)
    }

    func takeAll() { queue.take(into: &take, gathering: nil, waiting: 0) }

    func putBack(_ record: QueuedRecord) {
      queue.putBack(record, slots: take.slots[record.slotRange])
    }

    func finished(records: Int, bytes: Int, isLast: Bool) {
      queue.finished(records: records, bytes: bytes, isLast: isLast)
    }

    func close(_ refusal: LedgerRefusal, ends: Bool) { queue.close(refusal, ends: ends) }

    func asks() -> Bool { queue.ask(.settle(reply: Promise<Bool>())) }
  }

  /// A record with many tags takes more than one without: the bound on records says nothing of it.
  @Test func bytesAreBoundedExactly() {
    let large = QueuedRecord.bytes(slotCount: 1_000)
    let queue = Queue(records: 1_000, bytes: 3 * large)
    for _ in 0..<3 { #expect(queue.add(slots: 1_000) == nil) }
    #expect(queue.add(slots: 0) == .queueFull)
    #expect(queue.numbers.waiting == 3)
    #expect(queue.numbers.refused == 1)
    // Records that were taken count until they are finished: they are in memory all the same.
    queue.takeAll()
    #expect(queue.take.records.count == 3 && queue.take.slots.count == 3_000)
    #expect(queue.add(slots: 0) == .queueFull)
    queue.finished(records: 1, bytes: large, isLast: false)
    #expect(queue.add(slots: 1_001) == .queueFull, "one slot more than there is room for")
    #expect(queue.add(slots: 1_000) == nil)
    #expect(queue.add(slots: 0) == .queueFull)
    queue.finished(records: 2, bytes: 2 * large, isLast: true)
    #expect(queue.add(slots: 2_000) == nil)
    #expect(queue.numbers.refused == 4)
  }

  @Test func recordsAreBoundedExactly() {
    let queue = Queue(records: 2, bytes: 1 << 20)
    for _ in 0..<2 { #expect(queue.add(slots: 0) == nil) }
    #expect(queue.add(slots: 0) == .queueFull)
    queue.takeAll()
    #expect(queue.add(slots: 0) == .queueFull)
    queue.finished(records: 2, bytes: 2 * QueuedRecord.bytes(slotCount: 0), isLast: true)
    #expect(queue.add(slots: 0) == nil)
  }

  /// Whoever can wait is held back before the queue is full, by either bound.
  @Test func eitherBoundMakesItHalfFull() {
    let byRecords = Queue(records: 4, bytes: 1 << 20)
    #expect(byRecords.add(slots: 0) == nil)
    #expect(!byRecords.isHalfFull)
    #expect(byRecords.add(slots: 0) == nil)
    #expect(byRecords.isHalfFull)
    byRecords.finished(
      records: 1, bytes: QueuedRecord.bytes(slotCount: 0), isLast: true)
    #expect(!byRecords.isHalfFull)
    let one = QueuedRecord.bytes(slotCount: 100)
    let byBytes = Queue(records: 1_000, bytes: 4 * one)
    #expect(byBytes.add(slots: 100) == nil)
    #expect(!byBytes.isHalfFull)
    #expect(byBytes.add(slots: 100) == nil)
    #expect(byBytes.isHalfFull)
    byBytes.finished(records: 1, bytes: one, isLast: true)
    #expect(!byBytes.isHalfFull)
  }

  /// The lag is that of the oldest record without an outcome, whether it waits or was taken.
  @Test func theLagLastsUntilTheLastOutcome() {
    let queue = Queue(records: 10, bytes: 1 << 20)
    #expect(queue.lag == .zero)
    _ = queue.add(slots: 0)
    #expect(queue.lag > .zero)
    queue.takeAll()
    #expect(queue.lag > .zero, "taken is not finished")
    queue.finished(records: 0, bytes: 0, isLast: false)
    #expect(queue.lag > .zero)
    queue.finished(records: 1, bytes: QueuedRecord.bytes(slotCount: 0), isLast: true)
    #expect(queue.lag == .zero)
  }

  @Test func whatIsPutBackCountsOnceAndKeepsItsSlots() {
    let queue = Queue(records: 10, bytes: 1 << 20)
    for slot in [Int32(3), 4] { _ = queue.add([slot, slot + 10]) }
    queue.takeAll()
    let second = queue.take.records[1]
    _ = queue.add(slots: 1)
    queue.putBack(second)
    #expect(queue.numbers.waiting == 3)
    queue.takeAll()
    #expect(queue.take.records.map { Array(queue.take.slots[$0.slotRange]) } == [[1], [4, 14]])
  }

  @Test func aQueueThatClosedTakesNothingAndSaysWhy() {
    let queue = Queue(records: 10, bytes: 1 << 20)
    queue.close(.failed, ends: false)
    #expect(queue.add(slots: 0) == .failed)
    queue.close(.closing, ends: true)
    #expect(queue.add(slots: 0) == .failed, "the worse reason stays")
    #expect(!queue.asks(), "nobody would ever answer")
  }
}
