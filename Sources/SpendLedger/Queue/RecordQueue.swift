import Dispatch
import Locks
import Synchronization

/// The queue of records for the ledger's thread: filled from any thread, bounded, emptied at once.
struct RecordQueue: ~Copyable, Sendable {
  /// All that the ledger's thread takes at a time.
  struct Take {
    var records: [QueuedRecord] = []
    var slots: [Int32] = []
    var commands: [LedgerCommand] = []
    var isClosing = false

    /// Empties it; what it has of memory serves the next records, unless a flood blew it up.
    mutating func removeAll() {
      if records.capacity > Self.keptRecords {
        records = []
        slots = []
      }
      records.removeAll(keepingCapacity: true)
      slots.removeAll(keepingCapacity: true)
      commands.removeAll()
      isClosing = false
    }

    private static let keptRecords = 16_384
  }

  /// How long the reader lets records gather, and how many are enough for it to stop.
  struct Gathering {
    var enough: Int
    /// An instant of monotonic time, in nanoseconds.
    var until: Int64
  }

  /// The reader's state: how much wakes it.
  enum Reader {
    case awake
    case asleep
    /// So many records, or a command.
    case gathering(Int)
  }

  // Not private: a type that lies in others by value must be known to them.
  struct Contents {
    var waiting = Take()
    /// Records and bytes that wait or were taken and are not finished.
    var records = 0
    var bytes = 0
    /// When the oldest record that waits was queued, and the oldest that was taken.
    var oldestWaiting: Int64?
    var oldestTaken: Int64?
    var reader = Reader.awake
    /// Why nothing is taken any more.
    var refusal: LedgerRefusal? = .closing
    var refused: UInt64 = 0

    /// Whether the reader is to be woken for what was added; from then on it counts as awake.
    mutating func wakesReader(_ isCommand: Bool = false) -> Bool {
      switch reader {
      case .awake: return false
      case .gathering(let enough) where !isCommand && waiting.records.count < enough: return false
      case .asleep, .gathering:
        reader = .awake
        return true
      }
    }

    func hasEnough(_ records: Int) -> Bool {
      !waiting.commands.isEmpty || waiting.isClosing || waiting.records.count >= records
    }
  }

  private let recordBound: Int
  private let byteBound: Int
  private let contents = Locked(Contents())
  /// When the oldest record without an outcome was queued; `none`: there is none. Written under the
  /// lock, read without.
  private let oldest = Atomic<Int64>(none)
  private static let none = Int64.max
  /// Whether half of either bound is taken. Written under the lock, read without.
  private let isHalfFullFlag = Atomic<Bool>(false)
  private let bell = DispatchSemaphore(value: 0)

  init(recordBound: Int, byteBound: Int) {
    self.recordBound = recordBound
    self.byteBound = byteBound
  }

  func add(_ record: LedgerRecord, slots: [Int32], isClaimed: Bool) -> LedgerRefusal? {
    let bytes = QueuedRecord.bytes(slotCount: slots.count)
    let (refusal, wakes) = contents.withLock { contents -> (LedgerRefusal?, Bool) in
      if let refusal = contents.refusal {
        contents.refused += 1
        return (refusal, false)
      }
      guard contents.records < recordBound, contents.bytes + bytes <= byteBound else {
        contents.refused += 1
        return (.queueFull, false)
      }
      contents.records += 1
      contents.bytes += bytes
      publishFill(contents)
      if contents.oldestWaiting == nil {
        contents.oldestWaiting = SystemCalls.monotonicNanoseconds()
        publishOldest(contents)
      }
      contents.waiting.records.append(
        QueuedRecord(
          record, firstSlot: contents.waiting.slots.count, slotCount: slots.count,
          isClaimed: isClaimed))
      // One by one: a few, and the array they come from is not counted as held.
      for slot in slots { contents.waiting.slots.append(slot) }
      return (nil, contents.wakesReader())
    }
    if wakes { bell.signal() }
    return refusal
  }

  func add(_ command: LedgerCommand) {
    let wakes = contents.withLock { contents in
      contents.waiting.commands.append(command)
      if case .start = command { contents.refusal = nil }
      return contents.wakesReader(true)
    }
    if wakes { bell.signal() }
  }

  /// Adds a command that somebody waits for; false: nobody will do it any more.
  func ask(_ command: LedgerCommand) -> Bool {
    let (isTaken, wakes) = contents.withLock { contents -> (Bool, Bool) in
      if contents.waiting.isClosing { return (false, false) }
      contents.waiting.commands.append(command)
      return (true, contents.wakesReader(true))
    }
    if wakes { bell.signal() }
    return isTaken
  }

  /// Puts back a record that must wait for the next batch; it counts already.
  func putBack(_ record: QueuedRecord, slots: ArraySlice<Int32>) {
    contents.withLock { contents in
      var record = record
      record.firstSlot = Int32(contents.waiting.slots.count)
      contents.waiting.records.append(record)
      contents.waiting.slots.append(contentsOf: slots)
    }
  }

  /// Takes no more records, for this reason. `ends`: what waits is the last.
  func close(_ refusal: LedgerRefusal, ends: Bool) {
    let wakes = contents.withLock { contents in
      if contents.refusal != .failed { contents.refusal = refusal }
      if ends { contents.waiting.isClosing = true }
      return contents.wakesReader(true)
    }
    if wakes { bell.signal() }
  }

  /// Takes all that waits, in place of what `take` held: at once where there is a command or enough
  /// has gathered, else when the time to gather is over; where nothing waits then, waits for it, up
  /// to `nanoseconds`.
  func take(into take: inout Take, gathering: Gathering?, waiting nanoseconds: Int64) {
    take.removeAll()
    if let gathering {
      let rest = gathering.until - SystemCalls.monotonicNanoseconds()
      if rest > 0 {
        if takeNow(&take, atLeast: gathering.enough, orBe: .gathering(gathering.enough)) { return }
        _ = bell.wait(timeout: .now() + .nanoseconds(Int(rest)))
      }
    }
    if takeNow(&take, atLeast: 1, orBe: .asleep) { return }
    _ = bell.wait(timeout: .now() + .nanoseconds(Int(nanoseconds)))
    _ = takeNow(&take, atLeast: 0, orBe: .awake)
  }

  private func takeNow(_ take: inout Take, atLeast count: Int, orBe reader: Reader) -> Bool {
    var taken = exchange(&take, with: Take())
    let isEnough = contents.withLock { contents in
      guard contents.hasEnough(count) else {
        contents.reader = reader
        return false
      }
      contents.reader = .awake
      swap(&taken, &contents.waiting)
      contents.waiting.isClosing = taken.isClosing
      if !taken.records.isEmpty {
        contents.oldestTaken = contents.oldestWaiting
        contents.oldestWaiting = nil
        publishOldest(contents)
      }
      return true
    }
    take = taken
    return isEnough
  }

  /// So many records have their outcome. `isLast`: all that were taken have.
  func finished(records: Int, bytes: Int, isLast: Bool) {
    contents.withLock { contents in
      contents.records -= records
      contents.bytes -= bytes
      publishFill(contents)
      if isLast { contents.oldestTaken = nil }
      publishOldest(contents)
    }
  }

  private func publishFill(_ contents: borrowing Contents) {
    let isHalfFull = contents.records * 2 >= recordBound || contents.bytes * 2 >= byteBound
    if isHalfFull != isHalfFullFlag.load(ordering: .relaxed) {
      isHalfFullFlag.store(isHalfFull, ordering: .relaxed)
    }
  }

  /// Whether half of what may wait does: whoever can wait had better begin to.
  var isHalfFull: Bool { isHalfFullFlag.load(ordering: .relaxed) }

  private func publishOldest(_ contents: borrowing Contents) {
    oldest.store(contents.oldestTaken ?? contents.oldestWaiting ?? Self.none, ordering: .relaxed)
  }

  /// How long the oldest record without an outcome has been here, some milliseconds coarse; never
  /// zero while there is one.
  var lag: Duration {
    let since = oldest.load(ordering: .relaxed)
    if since == Self.none { return .zero }
    return .nanoseconds(max(1, SystemCalls.coarseMonotonicNanoseconds() - since))
  }

  var numbers: (waiting: Int, refused: UInt64) {
    contents.withLock { ($0.records, $0.refused) }
  }
}
