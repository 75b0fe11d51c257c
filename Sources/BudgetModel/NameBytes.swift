/// A name as it stands in a request: borrowed UTF-8 bytes, not yet checked, no `String` built.
///
/// Valid only while the bytes it was made from are: within the call that passed it. This file is
/// one of the few that touch raw memory; everything above works with names through it.
@safe public struct NameBytes {
  @usableFromInline let base: UnsafePointer<UInt8>?
  /// How many bytes the name has. Zero: absent.
  public let count: Int

  /// Borrows `count` bytes from `base`; the caller keeps them alive while the name is in use.
  @unsafe @inlinable public init(base: UnsafePointer<UInt8>?, count: Int) {
    unsafe self.base = base
    self.count = unsafe base == nil ? 0 : count
  }

  /// The absent name.
  @inlinable public static var absent: NameBytes { unsafe NameBytes(base: nil, count: 0) }

  /// Whether the name is absent.
  @inlinable public var isEmpty: Bool { count == 0 }

  /// The byte at `index`, which lies in `0..<count`.
  @inlinable public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count, "a byte outside the name")
    guard let base = unsafe base else { return 0 }
    return unsafe base[index]
  }

  /// The bytes `range`, which lies in `0..<count`, as a name of their own.
  @inlinable public subscript(range: Range<Int>) -> NameBytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes outside the name")
    guard let base = unsafe base else { return .absent }
    return unsafe NameBytes(base: base + range.lowerBound, count: range.count)
  }

  /// Whether both names have the same bytes.
  @inlinable public static func == (left: NameBytes, right: NameBytes) -> Bool {
    guard left.count == right.count else { return false }
    guard let a = unsafe left.base, let b = unsafe right.base else { return true }
    return unsafe areEqual(UnsafeRawPointer(a), UnsafeRawPointer(b), left.count)
  }

  /// Whether the name has exactly the bytes of `text`. No storage is needed for it.
  public func isEqual(to text: String) -> Bool {
    let bytes = text.utf8Span.span
    guard bytes.count == count else { return false }
    for index in bytes.indices where bytes[index] != self[index] { return false }
    return true
  }

  /// Whether the name has exactly the bytes `pool[start..<start + count]`.
  @inlinable public func isEqual(to pool: [UInt8], from start: Int) -> Bool {
    guard let base = unsafe base else { return true }
    return unsafe pool.withUnsafeBytes { pool in
      precondition(start >= 0 && count <= pool.count - start, "bytes outside the pool")
      guard let first = pool.baseAddress else { return true }
      return unsafe Self.areEqual(UnsafeRawPointer(base), first + start, count)
    }
  }

  /// Whether every byte is of 0x20 to 0x7E, as nearly every name's are. Eight bytes a step; false says
  /// only that a closer look is needed.
  private static func isPrintableASCII(_ base: UnsafeRawPointer, _ count: Int) -> Bool {
    let (high, low, one): (UInt64, UInt64, UInt64) = (
      0x8080_8080_8080_8080, 0x2020_2020_2020_2020, 0x0101_0101_0101_0101
    )
    guard count >= 8 else {
      for offset in 0..<count {
        let byte = unsafe base.load(fromByteOffset: offset, as: UInt8.self)
        if !(0x20...0x7E).contains(byte) { return false }
      }
      return true
    }
    // A byte of 0x80 or more has its top bit set, one below 0x20 sets it in the difference, 0x7F in
    // the sum. A borrow or a carry can only set more of them.
    var offset = 0
    var found: UInt64 = 0
    while offset + 8 < count {
      let word = unsafe word(base, offset)
      found |= word | (word &- low) | (word &+ one)
      offset += 8
    }
    let last = unsafe word(base, count - 8)
    found |= last | (last &- low) | (last &+ one)
    return found & high == 0
  }

  /// Compares eight bytes a step. The last step of a longer text overlaps the one before it, so
  /// that no byte outside the texts is read.
  @inlinable static func areEqual(
    _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int
  ) -> Bool {
    var offset = 0
    if count >= 8 {
      while offset + 32 <= count {
        let first = unsafe word(a, offset) ^ word(b, offset)
        let second = unsafe word(a, offset + 8) ^ word(b, offset + 8)
        let third = unsafe word(a, offset + 16) ^ word(b, offset + 16)
        let fourth = unsafe word(a, offset + 24) ^ word(b, offset + 24)
        if first | second | third | fourth != 0 { return false }
        offset += 32
      }
      while offset + 8 <= count {
        if unsafe word(a, offset) != word(b, offset) { return false }
        offset += 8
      }
      return unsafe word(a, count - 8) == word(b, count - 8)
    }
    return unsafe shortWord(a, count) == shortWord(b, count)
  }

  @inlinable static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }

  /// The bytes of a text of up to seven: another number for each text of one length.
  @inlinable static func shortWord(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    if count >= 4 {
      let low = unsafe base.loadUnaligned(as: UInt32.self)
      let high = unsafe base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
      return UInt64(high) << 32 | UInt64(low)
    }
    if count == 0 { return 0 }
    let (first, middle, last) = unsafe (
      base.load(as: UInt8.self), base.load(fromByteOffset: count / 2, as: UInt8.self),
      base.load(fromByteOffset: count - 1, as: UInt8.self)
    )
    return UInt64(first) | UInt64(middle) << 8 | UInt64(last) << 16
  }

  /// A hash of the bytes. Eight bytes a step, mixed by a 128-bit multiplication; `seed` is random
  /// per process, so that nobody can send names that collide.
  @inlinable public func hash(seed: UInt64) -> UInt64 {
    // An empty name is an absent one, whatever it was read from.
    guard let base = unsafe base, count > 0 else { return seed }
    let raw = unsafe UnsafeRawPointer(base)
    // Another factor for each length, for nothing: in a sum with the bytes lengths would cancel out, as
    // in `2` and `12`.
    let factor = Self.factor ^ UInt64(truncatingIfNeeded: count) << 8
    if count < 8 { return unsafe Self.mix(seed ^ Self.shortWord(raw, count), factor) }
    var state = seed
    var offset = 0
    if count > 64 {
      // Two chains side by side, 16 bytes a step each: a whole message takes tens of nanoseconds.
      var other = Self.mix(seed)
      let secret = other
      while offset + 32 < count {
        state = unsafe Self.mix(
          Self.word(raw, offset) ^ secret, Self.word(raw, offset + 8) ^ state)
        other = unsafe Self.mix(
          Self.word(raw, offset + 16) ^ secret, Self.word(raw, offset + 24) ^ other)
        offset += 32
      }
      state ^= Self.mix(other)
    }
    while offset + 8 < count {
      state = unsafe Self.mix(state ^ Self.word(raw, offset))
      offset += 8
    }
    return unsafe Self.mix(state ^ Self.word(raw, count - 8), factor)
  }

  @inlinable static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }

  @inlinable static func mix(_ value: UInt64) -> UInt64 { mix(value, factor) }

  @usableFromInline static var factor: UInt64 { 0x9E37_79B9_7F4A_7C15 }

  /// Calls `body` with the bytes, none for an absent name; they are valid during the call.
  public func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
    guard let base = unsafe base else { return body(RawSpan()) }
    return body(unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: count))
  }

  /// Appends the bytes to `bytes`.
  public func append(to bytes: inout [UInt8]) {
    guard let base = unsafe base else { return }
    unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: base, count: count))
  }

  /// The name as text; ill-formed UTF-8 is repaired. For logs and messages, not for look-ups.
  public var text: String {
    guard let base = unsafe base else { return "" }
    return unsafe String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self)
  }

  /// Appends the name as it may stand in a message: a control character, or a byte that is not
  /// UTF-8, becomes U+FFFD, and a name over the bound is cut there.
  public func appendPrintable(to bytes: inout [UInt8]) {
    if isWellFormed {
      append(to: &bytes)
      return
    }
    for scalar in self[0..<min(count, Self.maximumLength)].text.unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
      bytes.append(contentsOf: Character(isControl ? "\u{FFFD}" : scalar).utf8)
    }
  }

  /// The longest name that can match a budget, in bytes.
  public static let maximumLength = 256

  /// Whether the name could be some budget's: at most 256 bytes of UTF-8 without control characters
  /// (U+0000 to U+001F, U+007F to U+009F).
  public var isWellFormed: Bool { count <= Self.maximumLength && isPlainText }

  /// Whether it is UTF-8 without control characters, of whatever length.
  public var isPlainText: Bool { textFault == nil }

  /// The first fault of the text, of whatever length; nil: it is UTF-8 without control
  /// characters.
  var textFault: NameFault? {
    guard let base = unsafe base else { return nil }
    let bytes = unsafe UnsafeBufferPointer(start: base, count: count)
    if unsafe Self.isPrintableASCII(UnsafeRawPointer(base), count) { return nil }
    var decoder = UTF8()
    var iterator = unsafe bytes.makeIterator()
    while true {
      switch unsafe decoder.decode(&iterator) {
      case .scalarValue(let scalar):
        if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) { return .controlCharacter }
      case .emptyInput: return nil
      case .error: return .notUTF8
      }
    }
  }
}

extension NameBytes {
  /// Calls `body` with the bytes of `text` as a name that is valid during the call.
  public static func with<Result>(_ text: String, _ body: (NameBytes) -> Result) -> Result {
    var text = text
    return text.withUTF8 { bytes in
      unsafe body(NameBytes(base: bytes.baseAddress, count: bytes.count))
    }
  }

  /// Calls `body` with `bytes` as a name that is valid during the call.
  public static func with<Result>(_ bytes: [UInt8], _ body: (NameBytes) -> Result) -> Result {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      unsafe body(NameBytes(base: bytes.baseAddress, count: bytes.count))
    }
  }
}
