/// Reads the framing of one field after another, within one message.
struct WireCursor {
  /// The start of the next field.
  private(set) var offset: Int
  private let end: Int

  /// A field's framing.
  struct Field {
    /// 1 to 2^29 - 1.
    let number: UInt32
    let wireType: UInt8
    /// The start of the value's bytes: behind the key, and behind the length if the field has one.
    let start: Int
    /// A varint's value, a length-delimited field's length, else 0.
    let value: UInt64
  }

  init(at start: Int, end: Int) {
    self.offset = start
    self.end = end
  }

  /// Reads one field and stands behind it. `offset` must lie before the message's end.
  @inline(__always)
  mutating func nextField(in bytes: borrowing RawSpan) throws(WireFault) -> Field {
    let fieldStart = offset
    let key = try varint(in: bytes, fieldStart: fieldStart, maximumBytes: 5)
    let number = key >> 3
    guard number >= 1, number < 1 << 29 else {
      throw .fieldNumber(number, offset: fieldStart)
    }
    let wireType = UInt8(truncatingIfNeeded: key & 7)
    var start = offset
    var value: UInt64 = 0
    switch wireType {
    case 0:
      value = try varint(in: bytes, fieldStart: fieldStart, maximumBytes: 10)
    case 1:
      guard end - offset >= 8 else { throw .truncated(offset: fieldStart) }
      offset += 8
    case 2:
      // Five bytes, as protobuf-c and the C++ implementation read them.
      value = try varint(in: bytes, fieldStart: fieldStart, maximumBytes: 5)
      guard value <= UInt64(end - offset) else { throw .truncated(offset: fieldStart) }
      start = offset
      offset += Int(value)
    case 5:
      guard end - offset >= 4 else { throw .truncated(offset: fieldStart) }
      offset += 4
    case 3, 4: throw .group(offset: fieldStart)
    default: throw .wireType(wireType, offset: fieldStart)
    }
    return Field(
      number: UInt32(truncatingIfNeeded: number), wireType: wireType, start: start, value: value)
  }

  @inline(__always)
  private mutating func varint(
    in bytes: borrowing RawSpan, fieldStart: Int, maximumBytes: Int
  ) throws(WireFault) -> UInt64 {
    guard offset < end else { throw .truncated(offset: fieldStart) }
    let first = bytes.byte(at: offset)
    if first < 0x80 {
      offset += 1
      return UInt64(first)
    }
    let varintStart = offset
    var value = UInt64(first & 0x7F)
    var shift: UInt64 = 7
    offset += 1
    while offset < end {
      let byte = bytes.byte(at: offset)
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      if offset - varintStart >= maximumBytes {
        throw .overlongVarint(offset: varintStart, bound: maximumBytes)
      }
      shift += 7
    }
    throw .truncated(offset: fieldStart)
  }

  /// The first call id of a request that was refused, or 0: steps over the envelope's fields as
  /// long as their framing is intact, whatever is wrong inside them.
  static func firstCallID(in bytes: borrowing RawSpan) -> UInt64 {
    var cursor = WireCursor(at: 0, end: bytes.byteCount)
    while cursor.offset < cursor.end {
      // A fault ends the search: nothing behind it can be framed.
      guard let field = try? cursor.nextField(in: bytes) else { return 0 }
      if field.number == 1, field.wireType == 0 { return field.value }
    }
    return 0
  }
}

extension RawSpan {
  /// The byte at `offset`; outside the span the process stops. The one unsafe thing about
  /// `unsafeLoad` is that not every type may have every bit pattern; `UInt8` may.
  @inline(__always)
  func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// The eight bytes at `offset`, the least significant first; outside the span the process stops.
  @inline(__always)
  func word(at offset: Int) -> UInt64 {
    UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
