import BudgetModel

// Writing protobuf by hand: appending one field after another to bytes. A singular field at its
// default is left out, as proto3 has it.
extension [UInt8] {
  /// Appends `value` in base 128, the least significant group first.
  @inline(__always)
  mutating func appendVarint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    append(UInt8(truncatingIfNeeded: value))
  }

  @inline(__always)
  private mutating func appendKey(_ number: UInt8, wireType: UInt8) {
    appendVarint(UInt64(number) << 3 | UInt64(wireType))
  }

  /// Appends an integer field, unless it is 0.
  mutating func appendInteger(_ number: UInt8, _ value: UInt64) {
    if value != 0 { appendPresentInteger(number, value) }
  }

  /// Appends an integer field with presence: 0 too.
  mutating func appendPresentInteger(_ number: UInt8, _ value: UInt64) {
    appendKey(number, wireType: 0)
    appendVarint(value)
  }

  /// Appends a bool field, unless it is false.
  mutating func appendFlag(_ number: UInt8, _ value: Bool) {
    appendInteger(number, value ? 1 : 0)
  }

  /// Appends a double field, unless it is +0.
  mutating func appendDouble(_ number: UInt8, _ value: Double) {
    if value.bitPattern != 0 { appendPresentDouble(number, value) }
  }

  /// Appends a double field with presence: 0 too.
  mutating func appendPresentDouble(_ number: UInt8, _ value: Double) {
    appendKey(number, wireType: 1)
    var bits = value.bitPattern
    for _ in 0..<8 {
      append(UInt8(truncatingIfNeeded: bits))
      bits >>= 8
    }
  }

  /// Appends a string field, unless it is empty.
  mutating func appendText(_ number: UInt8, _ text: String) {
    if !text.isEmpty { appendEntry(number, text) }
  }

  /// Appends an entry of a list of strings: an empty one too.
  mutating func appendEntry(_ number: UInt8, _ text: String) {
    appendKey(number, wireType: 2)
    let bytes = text.utf8
    appendVarint(UInt64(bytes.count))
    append(contentsOf: bytes)
  }

  /// Appends a string field of a name, unless it is absent.
  mutating func appendText(_ number: UInt8, _ name: NameBytes) {
    guard !name.isEmpty else { return }
    appendKey(number, wireType: 2)
    appendVarint(UInt64(name.count))
    name.append(to: &self)
  }

  /// Appends a length-delimited field of `bytes`.
  mutating func appendBytes(_ number: UInt8, _ bytes: some Collection<UInt8>) {
    appendKey(number, wireType: 2)
    appendVarint(UInt64(bytes.count))
    append(contentsOf: bytes)
  }

  /// Appends the key and length of a length-delimited field, whose `length` bytes follow.
  mutating func appendHead(_ number: UInt8, length: Int) {
    appendKey(number, wireType: 2)
    appendVarint(UInt64(length))
  }

  /// Appends a message field that `body` writes. Its length is written as one byte and widened
  /// afterwards where it takes more, at the cost of one move of what `body` wrote.
  @inline(__always)
  mutating func appendMessage(_ number: UInt8, _ body: (inout [UInt8]) -> Void) {
    appendKey(number, wireType: 2)
    append(0)
    let start = count
    body(&self)
    let length = count - start
    if length < 0x80 {
      self[start - 1] = UInt8(length)
    } else {
      widenLength(to: length, before: start)
    }
  }

  /// Makes the length byte before `start` the varint `length`, moving what follows.
  private mutating func widenLength(to length: Int, before start: Int) {
    let extra = Self.varintLength(length) - 1
    insert(contentsOf: repeatElement(0, count: extra), at: start)
    var rest = length
    for index in (start - 1)..<(start - 1 + extra) {
      self[index] = UInt8(truncatingIfNeeded: rest) | 0x80
      rest >>= 7
    }
    self[start - 1 + extra] = UInt8(rest)
  }

  /// How many bytes `appendVarint` takes for `value`.
  static func varintLength(_ value: Int) -> Int {
    var length = 1
    var value = value
    while value >= 0x80 {
      length += 1
      value >>= 7
    }
    return length
  }
}
