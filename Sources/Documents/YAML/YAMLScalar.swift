/// Types a scalar of a YAML document as PyYAML's safe loader does (YAML 1.1).
enum YAMLScalar {
  /// Why a scalar is refused: what PyYAML would raise for.
  struct Refusal: Error {
    var message: String
  }

  /// The value of a plain scalar: without quotes and without tag.
  static func plain(_ text: String) throws(Refusal) -> DocumentNode.Value {
    guard let first = text.utf8.first else { return .null }
    if isShortDecimal(text) { return .integer(text) }
    switch first {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      if let number = try number(text) { return number }
      return try timestampIfPlain(text) ?? .string(text)
    case UInt8(ascii: "~"):
      return text == "~" ? .null : .string(text)
    case UInt8(ascii: "y"), UInt8(ascii: "Y"), UInt8(ascii: "n"), UInt8(ascii: "N"),
      UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: "f"), UInt8(ascii: "F"),
      UInt8(ascii: "o"), UInt8(ascii: "O"):
      return word(text) ?? .string(text)
    default:
      return .string(text)
    }
  }

  /// Whether the text is a whole number as it would be written back: most numbers are, and need no
  /// closer look.
  private static func isShortDecimal(_ text: String) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, first >= UInt8(ascii: "1"), bytes.count <= 18 else {
      return false
    }
    return bytes.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }

  /// The value of a scalar with the explicit tag `tag`, in whatever form it stands there.
  static func tagged(_ text: String, tag: String) throws(Refusal) -> DocumentNode.Value {
    let prefix = "tag:yaml.org,2002:"
    guard tag.hasPrefix(prefix) else { throw unknown(tag) }
    switch tag.dropFirst(prefix.count) {
    case "str": return .string(text)
    case "null": return .null
    case "bool":
      guard let bool = truth[text.lowercased()] else { throw unreadable(text, "!!bool") }
      return .bool(bool)
    case "int":
      guard let digits = integer(text) else { throw unreadable(text, "!!int") }
      return .integer(digits)
    case "float":
      guard let number = float(text) else { throw unreadable(text, "!!float") }
      return .float(number)
    case "timestamp":
      guard let value = try timestamp(text) else { throw unreadable(text, "!!timestamp") }
      return value
    default: throw unknown(tag)
    }
  }

  /// The refusal of a tag that PyYAML, or this reader, has no type for.
  static func unknown(_ tag: String) -> Refusal {
    let short =
      tag.hasPrefix("tag:yaml.org,2002:") ? "!!" + tag.dropFirst("tag:yaml.org,2002:".count) : tag
    return Refusal(
      message:
        "the tag \(DocumentProblem.quoted(short)) is not read here: write the value without it"
    )
  }

  private static func unreadable(_ text: String, _ tag: String) -> Refusal {
    Refusal(message: "\(DocumentProblem.quoted(text)) is not what its tag \(tag) says it is")
  }

  private static let truth = [
    "yes": true, "no": false, "true": true, "false": false, "on": true, "off": false,
  ]

  /// `yes`, `Yes` and `YES` and their like, and the words for nothing; no other mixture of cases.
  private static func word(_ text: String) -> DocumentNode.Value? {
    guard text.utf8.count <= 5 else { return nil }
    let lower = text.lowercased()
    let isOneCase = text == lower || text == text.uppercased()
    let isCapitalized =
      text.dropFirst() == lower.dropFirst() && text.prefix(1) == text.prefix(1).uppercased()
    guard isOneCase || isCapitalized else { return nil }
    if lower == "null" { return .null }
    return truth[lower].map { .bool($0) }
  }

  private static func number(_ text: String) throws(Refusal) -> DocumentNode.Value? {
    let form = YAMLNumberForm(text)
    switch form {
    case .none: return nil
    case .float:
      guard let number = float(text) else { throw unreadable(text, "!!float") }
      return .float(number)
    case .integer:
      guard let digits = integer(text) else {
        throw Refusal(
          message: "\(DocumentProblem.quoted(text)) looks like a whole number but is not one: "
            + "quote it"
        )
      }
      return .integer(digits)
    }
  }

  /// The value that PyYAML's constructor gives a whole number's text.
  private static func integer(_ text: String) -> String? {
    var rest = text.filter { $0 != "_" }[...]
    guard let first = rest.first else { return nil }
    let isNegative = first == "-"
    if first == "-" || first == "+" { rest = rest.dropFirst() }
    let digits: String?
    if rest == "0" {
      digits = "0"
    } else if rest.hasPrefix("0b") {
      digits = PythonNumber.integer(String(rest.dropFirst(2)), radix: 2)
    } else if rest.hasPrefix("0x") {
      digits = PythonNumber.integer(String(rest.dropFirst(2)), radix: 16)
    } else if rest.first == "0" {
      digits = PythonNumber.integer(String(rest), radix: 8)
    } else if rest.contains(":") {
      let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
      let numbers = parts.compactMap { PythonNumber.integer(String($0), radix: 10) }
      digits = numbers.count == parts.count ? PythonNumber.sexagesimal(numbers) : nil
    } else {
      digits = PythonNumber.integer(String(rest), radix: 10)
    }
    guard let digits else { return nil }
    guard isNegative, digits != "0" else { return digits }
    return digits.hasPrefix("-") ? String(digits.dropFirst()) : "-" + digits
  }

  /// The value that PyYAML's constructor gives a number's text.
  private static func float(_ text: String) -> Double? {
    var rest = text.filter { $0 != "_" }.lowercased()[...]
    guard let first = rest.first else { return nil }
    let isNegative = first == "-"
    if first == "-" || first == "+" { rest = rest.dropFirst() }
    let number: Double?
    if rest == ".inf" {
      number = .infinity
    } else if rest == ".nan" {
      number = .nan
    } else if rest.contains(":") {
      let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
      let numbers = parts.compactMap { PythonNumber.float(String($0)) }
      guard numbers.count == parts.count else { return nil }
      // From the last part on, as PyYAML adds them: sums of doubles depend on the order.
      var sum = 0.0
      var base = 1.0
      for number in numbers.reversed() {
        sum += number * base
        base *= 60
      }
      number = sum
    } else {
      number = PythonNumber.float(String(rest))
    }
    return number.map { isNegative ? -$0 : $0 }
  }

  /// A plain scalar is a date only in the full form `2024-01-15`; with a time, shorter ones do.
  private static func timestampIfPlain(_ text: String) throws(Refusal) -> DocumentNode.Value? {
    guard text.utf8.count >= 8, text.utf8.dropFirst(4).first == UInt8(ascii: "-"),
      text.utf8.count == 10 || text.utf8.count > 12
    else { return nil }
    return try timestamp(text)
  }

  /// The date or instant that `text` has the form of, or nil.
  private static func timestamp(_ text: String) throws(Refusal) -> DocumentNode.Value? {
    guard let timestamp = YAMLTimestampForm.read(text) else { return nil }
    guard timestamp.exists else {
      throw Refusal(
        message: "\(DocumentProblem.quoted(text)) looks like a date but is not one: quote it")
    }
    return .timestamp(timestamp)
  }
}
