public import BudgetModel

/// JSON as bytes, written from front to back. Members and elements come in the order of the calls.
public struct JSONText {
  /// The text so far.
  public private(set) var bytes: [UInt8] = []
  private let style: JSONStyle
  private var needsComma = false

  /// Nothing yet; `capacity` bytes are expected.
  public init(style: JSONStyle = .page, capacity: Int = 0) {
    self.style = style
    bytes.reserveCapacity(capacity)
  }

  /// An object; a member where it has a name.
  public mutating func object(_ name: String? = nil, _ members: (inout JSONText) -> Void) {
    start(name)
    wrap("{", "}", members)
  }

  /// An array; a member where it has a name.
  public mutating func array(_ name: String? = nil, _ elements: (inout JSONText) -> Void) {
    start(name)
    wrap("[", "]", elements)
  }

  /// A text, or null.
  public mutating func add(_ name: String, _ text: String?) {
    start(name)
    if let text { append(text) } else { appendWord("null") }
  }

  /// A whole number, or null.
  public mutating func add(_ name: String, _ value: (some BinaryInteger)?) {
    start(name)
    if let value { appendWord("\(value)") } else { appendWord("null") }
  }

  /// A truth, or null.
  public mutating func add(_ name: String, _ value: Bool?) {
    start(name)
    if let value { appendWord("\(value)") } else { appendWord("null") }
  }

  /// A number; null where it is infinite or none.
  public mutating func add(_ name: String, _ value: Double?) {
    start(name)
    append(value)
  }

  /// An amount twice: exactly, as text, and as the nearest number under `<name>_usd`.
  public mutating func add(_ name: String, _ amount: PicoUSD?) {
    add(name, amount?.exactText)
    add(name + "_usd", amount?.dollars)
  }

  /// A number as its digits stand in `digits`.
  public mutating func add(_ name: String, number digits: String) {
    start(name)
    appendWord(digits)
  }

  /// A text as an element.
  public mutating func element(_ text: String) {
    start(nil)
    append(text)
  }

  /// A value as an element.
  public mutating func element(_ value: JSONValue) { add(nil, value) }

  private mutating func add(_ name: String?, _ value: JSONValue) {
    switch value {
    case .array(let values):
      array(name) { text in for value in values { text.add(nil, value) } }
    case .object(let members):
      object(name) { text in for (name, value) in members { text.add(name, value) } }
    case .null:
      start(name)
      appendWord("null")
    case .bool(let bool):
      start(name)
      appendWord("\(bool)")
    case .integer(let integer):
      start(name)
      appendWord("\(integer)")
    case .number(let number):
      start(name)
      append(number)
    case .string(let text):
      start(name)
      append(text)
    }
  }

  private mutating func start(_ name: String?) {
    if needsComma { appendWord(style.comma) }
    needsComma = true
    guard let name else { return }
    append(name)
    appendWord(style.colon)
  }

  private mutating func wrap(
    _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONText) -> Void
  ) {
    bytes.append(UInt8(ascii: open))
    needsComma = false
    body(&self)
    bytes.append(UInt8(ascii: close))
    needsComma = true
  }

  private mutating func appendWord(_ word: String) { bytes.append(contentsOf: word.utf8) }

  private mutating func append(_ number: Double?) {
    guard let number, number.isFinite else { return appendWord("null") }
    switch style.numbers {
    case .python: appendWord(number.pythonText)
    case .shortest:
      let digits = number.description
      appendWord(digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits)
    }
  }

  /// Quotes, backslashes and control characters escaped, the rest as it is.
  private mutating func append(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    // The first byte of U+0080 to U+00BF.
    var followsC2 = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): appendWord(#"\""#)
      case UInt8(ascii: "\\"): appendWord(#"\\"#)
      case UInt8(ascii: "\n") where style.hasShortEscapes: appendWord(#"\n"#)
      case UInt8(ascii: "\r") where style.hasShortEscapes: appendWord(#"\r"#)
      case UInt8(ascii: "\t") where style.hasShortEscapes: appendWord(#"\t"#)
      case 0..<0x20: appendEscape(byte)
      case 0x7F where style.escapesUpperControls: appendEscape(byte)
      case 0x80...0x9F where style.escapesUpperControls && followsC2:
        bytes.removeLast()
        appendEscape(byte)
      default: bytes.append(byte)
      }
      followsC2 = byte == 0xC2
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func appendEscape(_ value: UInt8) {
    appendWord(#"\u00"# + (value < 16 ? "0" : "") + String(value, radix: 16))
  }
}
