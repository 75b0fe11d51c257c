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
      add(
        BatchContents.Window(
          budget: label.budget, start: label.window.start.unixMilliseconds,
          end: label.window.end.unixMilliseconds))
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
      add(
        digest: record.hasKey ? record.digest : nil, fingerprint: record.fingerprint,
        amount: record.amount, windowCount: Int(record.slotCount))
      for slot in record.slotRange { add(windowPosition: plan.position(of: slots[slot])) }
    }
  }

  /// Begins a record; its windows' positions follow.
  @inline(__always)
  private mutating func add(
    digest: UInt128?, fingerprint: UInt128, amount: PicoUSD, windowCount: Int
  ) {
    if let digest {
      text.append(bytesOf: UInt8(1))
      text.append(bytesOf: digest.bigEndian)
      text.append(bytesOf: fingerprint.bigEndian)
    } else {
      text.append(bytesOf: UInt8(0))
    }
    var rest = UInt128(amount.pico)
    while rest > UInt128(UInt64.max) {
      text.append(bytesOf: UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt64(rest))
    append(UInt64(windowCount))
  }

  @inline(__always)
  private mutating func add(windowPosition: Int) { append(UInt64(windowPosition)) }

  private mutating func append(signed value: Int64) {
    append(UInt64(bitPattern: value << 1 ^ value >> 63))
  }

  private mutating func append(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      text.append(bytesOf: UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    text.append(bytesOf: UInt8(truncatingIfNeeded: rest))
  }
}
