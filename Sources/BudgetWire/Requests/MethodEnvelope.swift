public import BudgetModel

/// The envelope of a request, read without unpacking what is in it.
///
/// Only for the shape that every client's library writes: the call id, a timeout if there is one,
/// and the method's message, each once and in the order of their numbers. Any other request takes
/// the way through `RequestDecoder`, which also says what is wrong with it.
public struct MethodEnvelope {
  /// Names the call; from 1.
  public let callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public let timeoutMilliseconds: UInt32
  /// The method that is asked for.
  public let method: MethodName
  /// The method's message, unjudged; borrowed from the frame.
  public let message: NameBytes

  /// Reads the envelope of `frame`, a frame without its header; nil where it has another shape.
  @inline(__always)
  public init?(frame: RawSpan) {
    var offset = 0
    guard Self.key(0x08, in: frame, &offset), let callID = Self.varint(in: frame, &offset),
      callID != 0
    else { return nil }
    var timeout: UInt64 = 0
    if Self.key(0x10, in: frame, &offset) {
      guard let value = Self.varint(in: frame, &offset), value <= UInt64(UInt32.max)
      else { return nil }
      timeout = value
    }
    guard offset < frame.byteCount else { return nil }
    let key = frame.byte(at: offset)
    offset += 1
    guard key & 0x87 == 2, let method = MethodName(rawValue: key >> 3),
      let length = Self.length(in: frame, &offset), length == UInt64(frame.byteCount - offset)
    else { return nil }
    self.callID = callID
    self.method = method
    timeoutMilliseconds = UInt32(timeout)
    message = Self.name(in: frame, from: offset, count: Int(length))
  }

  /// Steps over a key of one byte, if it is there.
  @inline(__always)
  static func key(_ key: UInt8, in bytes: borrowing RawSpan, _ offset: inout Int) -> Bool {
    guard offset < bytes.byteCount, bytes.byte(at: offset) == key else { return false }
    offset += 1
    return true
  }

  /// The length of what follows: a varint of up to five bytes, as the decoder reads it.
  @inline(__always)
  static func length(in bytes: borrowing RawSpan, _ offset: inout Int) -> UInt64? {
    varint(in: bytes, &offset, ofBits: 35)
  }

  /// A varint of up to nine bytes: longer ones are for the decoder to judge.
  @inline(__always)
  static func varint(
    in bytes: borrowing RawSpan, _ offset: inout Int, ofBits bits: UInt64 = 63
  ) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < bytes.byteCount, shift < bits {
      let byte = bytes.byte(at: offset)
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  /// The `count` bytes from `start` on, which lie in the frame.
  @inline(__always)
  static func name(in frame: borrowing RawSpan, from start: Int, count: Int) -> NameBytes {
    precondition(start >= 0 && count >= 0 && count <= frame.byteCount - start, "outside the frame")
    // Safe: within the frame, which the caller keeps as it keeps the span.
    return unsafe frame.withUnsafeBytes { bytes in
      unsafe NameBytes(
        base: bytes.baseAddress.map {
          unsafe ($0 + start).assumingMemoryBound(to: UInt8.self)
        }, count: count)
    }
  }
}
