import BudgetModel

// Reading the usual shape of a message: keys of one byte, one after another. All of it is within the
// span, or the reader says nil and the whole message takes the way through the walk.
extension RawSpan {
  /// Steps over a key of one byte, if it is there.
  @inline(__always)
  func takes(_ key: UInt8, at offset: inout Int) -> Bool {
    guard offset < byteCount, byte(at: offset) == key else { return false }
    offset += 1
    return true
  }

  /// A varint of fewer bytes than the decoder would take: the rest is for the decoder to judge.
  @inline(__always)
  func varint(at offset: inout Int, ofBits bits: UInt64) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < byteCount, shift < bits {
      let byte = byte(at: offset)
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  /// The length of what follows: a varint of up to five bytes, as the decoder reads it.
  @inline(__always)
  func length(at offset: inout Int) -> UInt64? { varint(at: &offset, ofBits: 35) }

  /// Steps over a length and that many bytes, and gives them; nil where they leave the span.
  @inline(__always)
  func text(at offset: inout Int) -> NameBytes? {
    guard let range = textRange(at: &offset) else { return nil }
    return name(from: range.lowerBound, count: range.count)
  }

  /// As `text`, where the bytes lie. A length of one byte or two; longer texts are not usual.
  @inline(__always)
  func textRange(at offset: inout Int) -> Range<Int>? {
    guard offset < byteCount else { return nil }
    var count = Int(byte(at: offset))
    var start = offset + 1
    if count >= 0x80 {
      guard start < byteCount else { return nil }
      let high = Int(byte(at: start))
      guard high < 0x80 else { return nil }
      count = count & 0x7F | high << 7
      start += 1
    }
    guard count <= byteCount - start else { return nil }
    offset = start + count
    return start..<offset
  }

  /// Steps over a double and gives it; nil where it leaves the span.
  @inline(__always)
  func double(at offset: inout Int) -> Double? {
    guard byteCount - offset >= 8 else { return nil }
    let value = Double(bitPattern: word(at: offset))
    offset += 8
    return value
  }

  /// The `count` bytes from `start` on, which lie in the span.
  @inline(__always)
  func name(from start: Int, count: Int) -> NameBytes {
    precondition(start >= 0 && count >= 0 && count <= byteCount - start, "outside the frame")
    // Safe: within the span, whose owner keeps the bytes as long as it keeps the span.
    return unsafe withUnsafeBytes { bytes in
      unsafe NameBytes(
        base: bytes.baseAddress.map {
          unsafe ($0 + start).assumingMemoryBound(to: UInt8.self)
        }, count: count)
    }
  }
}
