/// Reads one strict JSON document (RFC 8259) into nodes, keeping the order of keys.
///
/// Bounds: `DocumentNode.maximumDepth` levels. Lone surrogates are refused, since no text can hold
/// them; NaN and infinities are not JSON. Repeated keys are kept as `DocumentMapping` says.
struct JSONReader {
  private struct Failure: Error {
    var message: String
  }

  private let bytes: [UInt8]
  private var index = 0
  private var line: Int
  private var lineStart = 0
  private var depth = 0

  private init(_ text: String, line: Int) {
    bytes = Array(text.utf8)
    self.line = line
  }

  static func read(_ text: String, file: String, line: Int) throws(DocumentError) -> DocumentNode {
    var reader = JSONReader(text, line: line)
    do throws(Failure) {
      let node = try reader.value()
      reader.skipBlanks()
      guard reader.index == reader.bytes.count else {
        throw Failure(message: "something follows the value")
      }
      return node
    } catch {
      let problem = DocumentProblem(
        file: file, line: reader.line, column: reader.column, keyPath: "",
        message: "no valid JSON: \(error.message)")
      throw DocumentError(problems: [problem])
    }
  }

  /// In characters, from 1.
  private var column: Int {
    bytes[lineStart..<min(index, bytes.count)].count { $0 & 0xC0 != 0x80 } + 1
  }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func value() throws(Failure) -> DocumentNode {
    skipBlanks()
    let start = line
    guard let first = next else { throw Failure(message: "a value is missing at the end") }
    switch first {
    case UInt8(ascii: "{"): return DocumentNode(.mapping(try mapping()), line: start)
    case UInt8(ascii: "["): return DocumentNode(.sequence(try sequence()), line: start)
    case UInt8(ascii: "\""): return DocumentNode(.string(try string()), line: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return DocumentNode(try number(), line: start)
    case UInt8(ascii: "t"): return DocumentNode(try word("true", .bool(true)), line: start)
    case UInt8(ascii: "f"): return DocumentNode(try word("false", .bool(false)), line: start)
    case UInt8(ascii: "n"): return DocumentNode(try word("null", .null), line: start)
    default: throw Failure(message: "no value starts like this")
    }
  }

  private mutating func mapping() throws(Failure) -> DocumentMapping {
    try descend()
    var entries: [DocumentMapping.Entry] = []
    if !closes(with: UInt8(ascii: "}")) {
      repeat {
        skipBlanks()
        let start = line
        guard next == UInt8(ascii: "\"") else {
          throw Failure(message: "a key in double quotes is missing")
        }
        let key = DocumentNode(.string(try string()), line: start)
        skipBlanks()
        guard next == UInt8(ascii: ":") else { throw Failure(message: "a ':' is missing") }
        index += 1
        entries.append(DocumentMapping.Entry(key: key, value: try value()))
      } while try continues(until: UInt8(ascii: "}"))
    }
    depth -= 1
    return DocumentMapping(entries)
  }

  private mutating func sequence() throws(Failure) -> [DocumentNode] {
    try descend()
    var nodes: [DocumentNode] = []
    if !closes(with: UInt8(ascii: "]")) {
      repeat { nodes.append(try value()) } while try continues(until: UInt8(ascii: "]"))
    }
    depth -= 1
    return nodes
  }

  private mutating func descend() throws(Failure) {
    index += 1
    depth += 1
    guard depth <= DocumentNode.maximumDepth else {
      throw Failure(message: "nested deeper than \(DocumentNode.maximumDepth) levels")
    }
  }

  private mutating func closes(with end: UInt8) -> Bool {
    skipBlanks()
    guard next == end else { return false }
    index += 1
    return true
  }

  /// Whether another element follows.
  private mutating func continues(until end: UInt8) throws(Failure) -> Bool {
    if closes(with: end) { return false }
    guard next == UInt8(ascii: ",") else {
      throw Failure(message: "a ',' or '\(Character(Unicode.Scalar(end)))' is missing")
    }
    index += 1
    return true
  }

  private mutating func word(
    _ word: String, _ value: DocumentNode.Value
  ) throws(Failure) -> DocumentNode.Value {
    guard bytes[index...].starts(with: word.utf8) else {
      throw Failure(message: "no value starts like this")
    }
    index += word.utf8.count
    return value
  }

  private mutating func number() throws(Failure) -> DocumentNode.Value {
    let start = index
    if next == UInt8(ascii: "-") { index += 1 }
    let whole = skipDigits()
    guard whole > 0, whole == 1 || bytes[index - whole] != UInt8(ascii: "0") else {
      throw Failure(message: "a number has no digits, or a 0 before them")
    }
    var isWhole = true
    if next == UInt8(ascii: ".") {
      isWhole = false
      index += 1
      guard skipDigits() > 0 else { throw Failure(message: "digits are missing after the point") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isWhole = false
      index += 1
      if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") { index += 1 }
      guard skipDigits() > 0 else { throw Failure(message: "digits are missing in the exponent") }
    }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    if isWhole {
      guard let digits = PythonNumber.integer(text, radix: 10) else {
        throw Failure(
          message: "a whole number has more than \(PythonNumber.maximumDigits) digits")
      }
      return .integer(digits)
    }
    guard let number = PythonNumber.float(text) else {
      throw Failure(message: "a number cannot be read")
    }
    return .float(number)
  }

  private mutating func skipDigits() -> Int {
    let start = index
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
    return index - start
  }

  private mutating func string() throws(Failure) -> String {
    index += 1
    var start = index
    var text: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        let last = bytes[start..<index]
        index += 1
        // The bytes come from a `String`, so they are valid between ASCII characters.
        return String(decoding: text.isEmpty ? last : text[...] + last, as: UTF8.self)
      case UInt8(ascii: "\\"):
        text += bytes[start..<index]
        try escape(into: &text)
        start = index
      case 0..<0x20: throw Failure(message: "a control character stands in a text")
      default: index += 1
      }
    }
    throw Failure(message: "a text has no end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(Failure) {
    index += 1
    let mark = next
    index += 1
    switch mark {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(mark ?? 0)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text += String(Character(try unicodeScalar())).utf8
    default: throw Failure(message: "a text has an unknown escape")
    }
  }

  /// Reads on behind `\u`; of a pair of surrogates both halves.
  private mutating func unicodeScalar() throws(Failure) -> Unicode.Scalar {
    let unit = try codeUnit()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    guard unit < 0xDC00, bytes[min(index, bytes.count)...].starts(with: "\\u".utf8) else {
      throw Failure(message: "half of a surrogate pair stands alone")
    }
    index += 2
    let low = try codeUnit()
    guard (0xDC00...0xDFFF).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    else { throw Failure(message: "half of a surrogate pair stands alone") }
    return scalar
  }

  private mutating func codeUnit() throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw Failure(message: "four hexadecimal digits are missing after \\u")
      }
      value = value << 4 | UInt32(digit)
      index += 1
    }
    return value
  }

  private mutating func skipBlanks() {
    while let byte = next {
      switch byte {
      case 0x0A:
        line += 1
        lineStart = index + 1
      case 0x20, 0x09, 0x0D: break
      default: return
      }
      index += 1
    }
  }
}
