/// Finds the next frame in bytes received: pure, holds no bytes itself.
struct FrameDecoder: Equatable, Sendable {
  /// The header: the body's length, big-endian.
  static let headerBytes = 4

  /// The longest body that is let in.
  let longestBody: Int

  /// The thing found at an offset.
  enum Step: Equatable {
    /// A whole frame with its body at `body`; the next one starts where that ends.
    case frame(body: Range<Int>)
    /// A frame, or nothing yet, of which at least `missing` bytes have not come.
    case partial(missing: Int)
    /// A frame over the bound.
    case tooLarge(length: Int)
  }

  /// Reads the header at `offset`, which is at most `bytes.byteCount`.
  @inline(__always)
  func step(in bytes: borrowing RawSpan, at offset: Int) -> Step {
    let available = bytes.byteCount - offset
    guard available >= Self.headerBytes else {
      return .partial(missing: Self.headerBytes - available)
    }
    let length = Int(bytes.bigEndianUInt32(at: offset))
    guard length <= longestBody else { return .tooLarge(length: length) }
    let start = offset + Self.headerBytes
    guard available - Self.headerBytes >= length else {
      return .partial(missing: length - (available - Self.headerBytes))
    }
    return .frame(body: start..<start + length)
  }
}
