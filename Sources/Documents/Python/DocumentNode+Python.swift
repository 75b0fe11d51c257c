import BudgetModel

// Whoever computes ids from the texts that Python makes of values needs the same texts, byte for byte.

extension DocumentNode {
  /// The value as a key: to Python 1, 1.0 and True are one.
  public var pythonKey: DocumentNode {
    switch value {
    case .bool(let bool): DocumentNode(.integer(bool ? "1" : "0"), line: line)
    case .float(let number):
      Int64(exactly: number).map { DocumentNode(.integer(String($0)), line: line) } ?? self
    default: self
    }
  }

  /// The value as Python's `str` shows it.
  public var pythonText: String {
    switch value {
    case .string(let text): text
    case .timestamp(let timestamp): timestamp.pythonText
    default: pythonRepresentation
    }
  }

  /// The value as Python's `repr` shows it.
  var pythonRepresentation: String {
    var text = ""
    writeRepresentation(to: &text)
    return text
  }

  /// The value as Python's `json.dumps` writes it: `", "` and `": "` between, all but ASCII escaped;
  /// dates as the name of their class. Nil where Python refuses a key.
  public var pythonJSON: String? {
    var text = ""
    return writeJSON(to: &text) ? text : nil
  }

  private func writeRepresentation(to text: inout String) {
    switch value {
    case .null: text += "None"
    case .bool(let bool): text += bool ? "True" : "False"
    case .integer(let digits): text += digits
    case .float(let number): text += number.pythonText
    case .string(let string): string.writePythonRepresentation(to: &text)
    case .timestamp(let timestamp): text += timestamp.pythonRepresentation
    case .sequence(let nodes):
      text += "["
      for (index, node) in nodes.enumerated() {
        if index > 0 { text += ", " }
        node.writeRepresentation(to: &text)
      }
      text += "]"
    case .mapping(let mapping):
      text += "{"
      for (index, entry) in mapping.entries.enumerated() {
        if index > 0 { text += ", " }
        entry.key.writeRepresentation(to: &text)
        text += ": "
        entry.value.writeRepresentation(to: &text)
      }
      text += "}"
    }
  }

  private func writeJSON(to text: inout String) -> Bool {
    switch value {
    case .null: text += "null"
    case .bool(let bool): text += bool ? "true" : "false"
    case .integer(let digits): text += digits
    case .float(let number): text += Self.json(number)
    case .string(let string): string.writeASCIIJSON(to: &text)
    case .timestamp(let timestamp): text += "\"\(timestamp.pythonClass)\""
    case .sequence(let nodes):
      text += "["
      for (index, node) in nodes.enumerated() {
        if index > 0 { text += ", " }
        guard node.writeJSON(to: &text) else { return false }
      }
      text += "]"
    case .mapping(let mapping):
      text += "{"
      for (index, entry) in mapping.entries.enumerated() {
        if index > 0 { text += ", " }
        guard let key = entry.key.jsonKey else { return false }
        key.writeASCIIJSON(to: &text)
        text += ": "
        guard entry.value.writeJSON(to: &text) else { return false }
      }
      text += "}"
    }
    return true
  }

  /// A key as `json.dumps` spells it. Nil for dates, which it refuses.
  private var jsonKey: String? {
    switch value {
    case .null: "null"
    case .bool(let bool): bool ? "true" : "false"
    case .integer(let digits): digits
    case .float(let number): Self.json(number)
    case .string(let text): text
    case .timestamp, .sequence, .mapping: nil
    }
  }

  private static func json(_ number: Double) -> String {
    if number.isNaN { return "NaN" }
    if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
    return number.pythonText
  }
}

extension String {
  /// Writes the text as Python's `repr`: in single quotes, unless it has those and no double ones.
  fileprivate func writePythonRepresentation(to text: inout String) {
    let scalars = unicodeScalars
    let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    text.unicodeScalars.append(quote)
    for scalar in scalars {
      switch scalar {
      case quote, "\\":
        text += "\\"
        text.unicodeScalars.append(scalar)
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.isPrintableInPython: text.unicodeScalars.append(scalar)
      case _ where scalar.value <= 0xFF: text += "\\x" + Self.hexadecimal(scalar.value, 2)
      case _ where scalar.value <= 0xFFFF: text += "\\u" + Self.hexadecimal(scalar.value, 4)
      default: text += "\\U" + Self.hexadecimal(scalar.value, 8)
      }
    }
    text.unicodeScalars.append(quote)
  }

  /// Writes the text as a JSON string of ASCII characters only.
  fileprivate func writeASCIIJSON(to text: inout String) {
    text += "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{C}": text += "\\f"
      case " "..."~": text.unicodeScalars.append(scalar)
      default:
        for unit in Character(scalar).utf16 { text += "\\u" + Self.hexadecimal(UInt32(unit), 4) }
      }
    }
    text += "\""
  }

  private static func hexadecimal(_ value: UInt32, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }
}

extension Unicode.Scalar {
  /// Whether Python's `repr` shows the character as it is.
  fileprivate var isPrintableInPython: Bool {
    if isASCII { return (0x20...0x7E).contains(value) }
    return switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      false
    default: true
    }
  }
}
