public import BudgetModel

/// JSON as bytes, written from front to back. Members and elements come in the order of the calls.
public struct JSONText {
  /// What was written so far.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// Nothing yet; `capacity` bytes are expected.
  public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

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
    if let text { append(text) } else { appendNull() }
  }

  /// A whole number, or null.
  public mutating func add(_ name: String, _ value: (some BinaryInteger)?) {
    start(name)
    if let value { bytes.append(contentsOf: "\(value)".utf8) } else { appendNull() }
  }

  /// A truth, or null.
  public mutating func add(_ name: String, _ value: Bool?) {
    start(name)
    if let value { bytes.append(contentsOf: "\(value)".utf8) } else { appendNull() }
  }

  /// A number as Python writes it; null where it is none.
  public mutating func add(_ name: String, _ value: Double?) {
    start(name)
    if let value, value.isFinite {
      bytes.append(contentsOf: value.pythonText.utf8)
    } else {
      appendNull()
    }
  }

  /// An amount twice: exactly, as text, and as the nearest number under `<name>_usd`.
  public mutating func add(_ name: String, _ amount: PicoUSD?) {
    add(name, amount?.exactText)
    add(name + "_usd", amount?.dollars)
  }

  /// A number as its digits stand in `digits`.
  public mutating func add(_ name: String, number digits: String) {
    start(name)
    bytes.append(contentsOf: digits.utf8)
  }

  /// A text as an element.
  public mutating func element(_ text: String) {
    start(nil)
    append(text)
  }

  private mutating func start(_ name: String?) {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
    guard let name else { return }
    append(name)
    bytes.append(UInt8(ascii: ":"))
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

  private mutating func appendNull() { bytes.append(contentsOf: "null".utf8) }

  /// Quotes, backslashes and control characters escaped as Python does; the rest as it is.
  private mutating func append(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: #"\r"#.utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        bytes.append(contentsOf: (#"\u00"# + (byte < 16 ? "0" : "") + digits).utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
