/// Bytes that are put together from names and numbers, time and again in the same memory: what is
/// hashed or written as a whole, once it is there.
///
/// An array would do the same; its `append` looks at owner, room and source each time, which for a
/// handful of bytes costs several times the copying.
@safe public struct ByteText: Sendable {
  /// All of it is initialised; the first `count` are the text.
  @usableFromInline var storage: [UInt8]
  /// How many bytes the text has.
  public private(set) var count = 0

  /// An empty text with room for `room` bytes; it grows as it must.
  public init(room: Int) { storage = [UInt8](repeating: 0, count: max(room, 64)) }

  /// How many bytes it has memory for.
  public var room: Int { storage.count }

  /// Becomes a copy of `other` in its own memory, which is as large as it has to be.
  public mutating func copy(_ other: borrowing ByteText) {
    removeAll()
    reserve(other.count)
    let count = other.count
    // Safe: there is room for `count` bytes, and the other text has as many.
    unsafe storage.withUnsafeMutableBytes { own in
      unsafe other.storage.withUnsafeBytes { other in
        guard let from = other.baseAddress else { return }
        unsafe own.baseAddress?.copyMemory(from: from, byteCount: count)
      }
    }
    self.count = count
  }

  /// Empties the text.
  @inlinable public mutating func removeAll() { setCount(0) }

  @usableFromInline mutating func setCount(_ count: Int) { self.count = count }

  /// Appends the bytes that `number` has in memory: say in which order, `number.bigEndian`.
  @inlinable public mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(
    bytesOf number: Number
  ) {
    let size = MemoryLayout<Number>.size
    reserve(size)
    let end = count
    // Safe: there is room for `size` bytes behind `end`.
    unsafe storage.withUnsafeMutableBytes {
      unsafe $0.storeBytes(of: number, toByteOffset: end, as: Number.self)
    }
    setCount(end + size)
  }

  /// Appends what `body` writes, at most `bound` bytes. It is lent the memory and the offset to write
  /// at, which it moves on. Owner and room are looked at once, not for each number.
  @inlinable public mutating func append(
    atMost bound: Int, _ body: (inout MutableRawSpan, inout Int) -> Void
  ) {
    reserve(bound)
    var end = count
    var elements = storage.mutableSpan
    // Safe: any bytes are elements.
    var bytes = unsafe elements.mutableBytes
    body(&bytes, &end)
    precondition(end >= count && end - count <= bound, "more was written than announced")
    setCount(end)
  }

  /// Writes the bytes of `number` over those that stand at `offset`.
  @inlinable public mutating func write<Number: FixedWidthInteger & BitwiseCopyable>(
    bytesOf number: Number, at offset: Int
  ) {
    precondition(offset >= 0 && offset + MemoryLayout<Number>.size <= count, "outside the text")
    // Safe: as was just seen.
    unsafe storage.withUnsafeMutableBytes {
      unsafe $0.storeBytes(of: number, toByteOffset: offset, as: Number.self)
    }
  }

  /// Appends the bytes of `name`.
  public mutating func append(_ name: NameBytes) {
    guard let base = unsafe name.base else { return }
    reserve(name.count)
    let end = count
    // Safe: there is room for them behind `end`, and a name is valid while it is passed.
    unsafe storage.withUnsafeMutableBytes {
      unsafe $0.baseAddress?.advanced(by: end).copyMemory(from: base, byteCount: name.count)
    }
    count = end + name.count
  }

  /// Appends the bytes `range` of `other`.
  public mutating func append(_ other: borrowing ByteText, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count, "outside the text")
    reserve(range.count)
    let end = count
    // Safe: there is room for them behind `end`, and they lie in the other text.
    unsafe storage.withUnsafeMutableBytes { own in
      unsafe other.storage.withUnsafeBytes { other in
        guard let own = own.baseAddress, let from = other.baseAddress else { return }
        unsafe (own + end).copyMemory(from: from + range.lowerBound, byteCount: range.count)
      }
    }
    count = end + range.count
  }

  /// Takes away what stands from `offset` on.
  public mutating func removeAll(from offset: Int) {
    precondition(offset >= 0 && offset <= count, "outside the text")
    count = offset
  }

  /// Whether the bytes `first` come before the bytes `second`, compared byte by byte.
  public func precedes(_ first: Range<Int>, _ second: Range<Int>) -> Bool {
    precondition(first.upperBound <= count && second.upperBound <= count, "outside the text")
    let bytes = storage.span
    for offset in 0..<min(first.count, second.count) {
      let (a, b) = (bytes[first.lowerBound + offset], bytes[second.lowerBound + offset])
      if a != b { return a < b }
    }
    return first.count < second.count
  }

  /// Calls `body` with the text, which is valid during the call.
  public func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
    // Safe: bytes have no padding that could be read.
    body(unsafe storage.span.extracting(first: count).bytes)
  }

  @inlinable mutating func reserve(_ more: Int) {
    if more > storage.count - count { grow(more) }
  }

  @usableFromInline @inline(never) mutating func grow(_ more: Int) {
    storage.append(contentsOf: repeatElement(0, count: max(more, storage.count)))
  }
}

extension [UInt8] {
  /// Appends `other`, which is lent: `append(contentsOf:)` counts a reference to it and takes it back,
  /// which costs more than the bytes where they are few.
  public mutating func append(bytesOf other: Span<UInt8>) {
    // Safe: they are read within the call that lends them.
    unsafe other.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }

  /// As of a span.
  public mutating func append(bytesOf other: borrowing [UInt8]) { append(bytesOf: other.span) }
}

extension Array {
  /// Appends `other`, which is lent, as `append(bytesOf:)` does.
  @inlinable public mutating func append(lent other: Span<Element>) {
    // Safe: they are read within the call that lends them.
    unsafe other.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}

extension MutableRawSpan {
  /// Writes the bytes that `number` has in memory at `offset`, and moves that behind them.
  @inlinable public mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(
    _ number: Number, at offset: inout Int
  ) {
    storeBytes(of: number, toByteOffset: offset, as: Number.self)
    offset += MemoryLayout<Number>.size
  }
}
