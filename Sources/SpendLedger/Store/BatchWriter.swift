import BudgetModel
import Digest

/// Writes a batch's row, version 1: numbers are LEB128 (the sign in the lowest bit where there may
/// be one), digests 16 bytes, most significant first.
///
///     version, id, origin, time, windows: (budget, start, end) ..., records: (flags, digest and
///     fingerprint where flags is 1, amount, windows: position ...) ...
struct BatchWriter {
  static let version: UInt8 = 1
  private(set) var text = ByteText(room: 4_096)

  /// Writes the row of the batch that `plan` has decided to commit; the row's digest.
  mutating func write(
    _ head: BatchReader.Head, _ plan: borrowing BatchPlan, _ records: [QueuedRecord],
    _ slots: [Int32]
  ) -> [UInt8] {
    begin(id: head.id, origin: head.origin, time: head.time, windowCount: plan.labels.count)
    for label in plan.labels {
      add(BatchContents.Window(budget: label.budget, start: label.start, end: label.end))
    }
    addRecords(of: plan, records, slots)
    let digest = text.withBytes { SHA256Digest.prefix(of: $0) }
    return stride(from: 120, through: 0, by: -8).map { UInt8(truncatingIfNeeded: digest >> $0) }
  }

  mutating func begin(id: Int64, origin: Int64, time: Timestamp, windowCount: Int) {
    text.removeAll()
    text.append(bytesOf: Self.version)
    append(signed: id)
    append(signed: origin)
    append(signed: time.unixMilliseconds)
    append(UInt64(windowCount))
  }

  mutating func add(_ window: BatchContents.Window) {
    append(signed: window.budget)
    append(signed: window.start)
    append(signed: window.end)
  }

  /// After the windows: the records that `plan` has decided to commit.
  mutating func addRecords(
    of plan: borrowing BatchPlan, _ records: [QueuedRecord], _ slots: [Int32]
  ) {
    append(UInt64(plan.leaders.count))
    plan.forEachLeader(in: records) { record in
      text.append(atMost: Self.longestHead + Self.longestNumber * Int(record.slotCount)) {
        bytes, offset in
        bytes.putHead(of: record, at: &offset)
        for place in record.slotRange {
          bytes.put(number: UInt64(plan.position(of: slots[place])), at: &offset)
        }
      }
    }
  }

  /// The most bytes of a 64-bit number, and of a record's part before its windows.
  private static let longestNumber = 10
  private static let longestHead = 1 + 32 + 19 + longestNumber

  private mutating func append(signed value: Int64) {
    append(UInt64(bitPattern: value << 1 ^ value >> 63))
  }

  private mutating func append(_ value: UInt64) {
    text.append(atMost: Self.longestNumber) { $0.put(number: value, at: &$1) }
  }
}

extension MutableRawSpan {
  /// Flags, digest and fingerprint, amount, and how many windows follow.
  @inline(__always)
  fileprivate mutating func putHead(of record: QueuedRecord, at offset: inout Int) {
    put(UInt8(record.hasKey ? 1 : 0), at: &offset)
    if record.hasKey {
      put(record.digest.bigEndian, at: &offset)
      put(record.fingerprint.bigEndian, at: &offset)
    }
    var rest = UInt128(record.amount.pico)
    while rest > UInt128(UInt64.max) {
      put(UInt8(truncatingIfNeeded: rest) | 0x80, at: &offset)
      rest >>= 7
    }
    put(number: UInt64(rest), at: &offset)
    put(number: UInt64(record.slotCount), at: &offset)
  }

  @inline(__always)
  fileprivate mutating func put(number: UInt64, at offset: inout Int) {
    var rest = number
    while rest >= 0x80 {
      put(UInt8(truncatingIfNeeded: rest) | 0x80, at: &offset)
      rest >>= 7
    }
    put(UInt8(truncatingIfNeeded: rest), at: &offset)
  }
}
