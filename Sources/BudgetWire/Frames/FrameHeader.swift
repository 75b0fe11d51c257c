/// The four bytes before each message: its length, unsigned, the most significant byte first.
public enum FrameHeader {
  /// How many bytes a header has.
  public static let byteCount = 4

  /// The length that the header at the start of `bytes` gives, or nil while fewer than four bytes
  /// are there. Judge it against `WireBounds.maximumRequestBytes` before buffering anything.
  @inlinable public static func messageLength(in bytes: borrowing Span<UInt8>) -> Int? {
    guard bytes.count >= byteCount else { return nil }
    return Int(bytes[0]) << 24 | Int(bytes[1]) << 16 | Int(bytes[2]) << 8 | Int(bytes[3])
  }

  /// Appends the header of a message of `length` bytes, 0 to 2^32 - 1.
  public static func append(messageLength length: Int, to bytes: inout [UInt8]) {
    let length = checked(length)
    bytes.append(UInt8(truncatingIfNeeded: length >> 24))
    bytes.append(UInt8(truncatingIfNeeded: length >> 16))
    bytes.append(UInt8(truncatingIfNeeded: length >> 8))
    bytes.append(UInt8(truncatingIfNeeded: length))
  }

  /// Writes the header of everything behind it over the four bytes at `start`.
  static func fill(at start: Int, of bytes: inout [UInt8]) {
    let length = checked(bytes.count - start - byteCount)
    bytes[start] = UInt8(truncatingIfNeeded: length >> 24)
    bytes[start + 1] = UInt8(truncatingIfNeeded: length >> 16)
    bytes[start + 2] = UInt8(truncatingIfNeeded: length >> 8)
    bytes[start + 3] = UInt8(truncatingIfNeeded: length)
  }

  private static func checked(_ length: Int) -> UInt32 {
    guard let length = UInt32(exactly: length) else {
      preconditionFailure("a frame's length is 0 to 2^32 - 1")
    }
    return length
  }
}
