public import BudgetModel

/// A reservation's name, as clients have it: `r1-<life>-<place>-<until>-<pico>-<node>`, numbers to the
/// base of 36. It describes itself, so that a settle finds its part after a restart. It may be
/// seen by anybody and proves nothing: a forged one can at most end a hold early.
public struct ReservationID: Hashable, Sendable {
  /// The life of the process that made it.
  public let life: UInt32
  /// The place in that process.
  public let place: UInt64
  /// When it was to end when it was made, in seconds since 1970, rounded up.
  public let untilSeconds: Int64
  /// The amount that it keeps back.
  public let amount: PicoUSD
  /// The node that made it.
  public let node: String

  /// The longest text of one, in bytes.
  public static let maximumLength = 160
  private static let prefix: [UInt8] = Array("r1".utf8)
  private static let hyphen = UInt8(ascii: "-")
  private static let base: UInt128 = 36
  private static let latest = UInt128(Timestamp.latest.unixMilliseconds / 1_000 + 1)

  init(life: UInt32, place: UInt64, until: Timestamp, amount: PicoUSD, node: String) {
    self.life = life
    self.place = place
    untilSeconds = HeldSum.seconds(from: until)
    self.amount = amount
    self.node = node
  }

  /// Reads a text; nil: no node of this version has made it. `node` is a name that is likely to be the
  /// maker's: then that text is taken, and none is made.
  public init?(_ text: NameBytes, likelyOf node: String = "") {
    guard text.count <= Self.maximumLength else { return nil }
    var reader = Reader(text: text)
    guard reader.takePrefix(), let life = reader.number(), let place = reader.number(),
      let until = reader.number(), let pico = reader.number(), let node = reader.rest(likely: node),
      life <= UInt32.max, place <= UInt64.max, until <= Self.latest,
      pico <= PicoUSD.maximumRecord.pico.magnitude
    else { return nil }
    self.life = UInt32(life)
    self.place = UInt64(place)
    untilSeconds = Int64(until)
    amount = PicoUSD(pico: Int128(pico))
    self.node = node
  }

  /// Appends the text, UTF-8.
  public func append(to bytes: inout [UInt8]) {
    // From its end, where the last digits are known first.
    var head = Head()
    head.put(amount.pico.magnitude)
    head.put(UInt64(untilSeconds))
    head.put(place)
    head.put(UInt64(life))
    head.putPrefix()
    bytes.append(bytesOf: head.bytes.span.extracting(head.first...))
    bytes.append(bytesOf: node.utf8Span.span)
  }

  /// The text.
  public var text: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// All of a text but the node's name, written from its end.
  private struct Head {
    /// At most 2 + 7 + 13 + 13 + 25 bytes, and a hyphen behind each.
    private(set) var bytes = InlineArray<72, UInt8>(repeating: hyphen)
    /// The first byte that is written.
    private(set) var first = 72

    /// Puts a number and the hyphen behind it before what is there.
    mutating func put(_ number: UInt128) {
      // Nearly every number is one that a processor divides by itself.
      if let small = UInt64(exactly: number) { put(small) } else { put(digitsOf: number) }
    }

    mutating func put(_ number: UInt64) { put(digitsOf: number) }

    @inline(__always)
    private mutating func put<Number: UnsignedInteger & FixedWidthInteger>(
      digitsOf number: Number
    ) {
      // The hyphen is there already.
      first -= 1
      var rest = number
      // Two at a time: each division waits for the one before it.
      let pair = Number(truncatingIfNeeded: ReservationID.base * ReservationID.base)
      while rest >= pair {
        let two = UInt32(truncatingIfNeeded: rest % pair)
        rest /= pair
        put(digit: two % 36)
        put(digit: two / 36)
      }
      let last = UInt32(truncatingIfNeeded: rest)
      put(digit: last % 36)
      if last >= 36 { put(digit: last / 36) }
    }

    @inline(__always)
    private mutating func put(digit: UInt32) {
      first -= 1
      let digit = UInt8(truncatingIfNeeded: digit)
      bytes[first] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit
    }

    mutating func putPrefix() {
      first -= 1
      let prefix = ReservationID.prefix.span
      for index in prefix.indices.reversed() {
        first -= 1
        bytes[first] = prefix[index]
      }
    }
  }

  /// Takes a text apart. Each number has one form: two texts never name the same reservation.
  private struct Reader {
    let text: NameBytes
    private var position = 0

    init(text: NameBytes) { self.text = text }

    mutating func takePrefix() -> Bool {
      for byte in prefix {
        guard position < text.count, text[position] == byte else { return false }
        position += 1
      }
      return takeHyphen()
    }

    private mutating func takeHyphen() -> Bool {
      guard position < text.count, text[position] == hyphen else { return false }
      position += 1
      return true
    }

    /// A number and the hyphen behind it.
    mutating func number() -> UInt128? {
      let start = position
      // Nearly every number is one that a processor multiplies by itself.
      let end = min(text.count, start + Self.smallDigits)
      var small: UInt64 = 0
      while position < end {
        let digit = Self.digit(text[position])
        if digit >= 36 { break }
        small = small &* 36 &+ UInt64(digit)
        position += 1
      }
      guard position > start else { return nil }
      if position > start + 1, text[start] == UInt8(ascii: "0") { return nil }
      if takeHyphen() { return UInt128(small) }
      return largeNumber(from: start, beginning: UInt128(small))
    }

    /// So many digits to the base of 36 are less than 2^63.
    private static let smallDigits = 12

    /// A number whose first digits were read.
    private mutating func largeNumber(from start: Int, beginning value: UInt128) -> UInt128? {
      var value = value
      while position < text.count {
        let digit = Self.digit(text[position])
        if digit >= 36 { break }
        if value == 0 { return nil }
        let (product, isTooLarge) = value.multipliedReportingOverflow(by: base)
        if isTooLarge { return nil }
        let (sum, overflows) = product.addingReportingOverflow(UInt128(digit))
        if overflows { return nil }
        value = sum
        position += 1
      }
      return takeHyphen() ? value : nil
    }

    /// The digit's value; 36 or more: it is none.
    @inline(__always)
    private static func digit(_ byte: UInt8) -> UInt8 {
      let number = byte &- UInt8(ascii: "0")
      if number < 10 { return number }
      let letter = byte &- UInt8(ascii: "a")
      return letter < 26 ? letter + 10 : .max
    }

    /// The node's name, which may have hyphens of its own.
    func rest(likely: String) -> String? {
      let node = text[position..<text.count]
      if !node.isEmpty, node.isEqual(to: likely) { return likely }
      return node.isEmpty || node.fault != nil ? nil : node.text
    }
  }
}
