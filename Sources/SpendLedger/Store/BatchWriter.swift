import BudgetModel

/// Writes a batch's row, version 1: numbers are LEB128 (the sign in the lowest bit where there may
/// be one), digests 16 bytes, most significant first.
///
///     version, id, origin, time, windows: (budget, start, end) ..., records: (flags, digest and
///     fingerprint where flags is 1, amount, windows: position ...) ...
struct BatchWriter {
  static let version: UInt8 = 1
  private(set) var bytes: [UInt8] = []

  mutating func begin(id: Int64, origin: Int64, time: Timestamp, windowCount: Int) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(Self.version)
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

  /// After the windows.
  mutating func beginRecords(count: Int) { append(UInt64(count)) }

  /// Begins a record; its windows' positions follow.
  mutating func add(
    digest: UInt128?, fingerprint: UInt128, amount: PicoUSD, windowCount: Int
  ) {
    if let digest {
      bytes.append(1)
      append(digest)
      append(fingerprint)
    } else {
      bytes.append(0)
    }
    var rest = UInt128(amount.pico)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
    append(UInt64(windowCount))
  }

  mutating func add(windowPosition: Int) { append(UInt64(windowPosition)) }

  private mutating func append(_ digest: UInt128) {
    var shift = 120
    while shift >= 0 {
      bytes.append(UInt8(truncatingIfNeeded: digest >> UInt128(shift)))
      shift -= 8
    }
  }

  private mutating func append(signed value: Int64) {
    append(UInt64(bitPattern: value << 1 ^ value >> 63))
  }

  private mutating func append(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }
}
