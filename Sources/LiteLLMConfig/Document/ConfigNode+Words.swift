import BudgetModel

extension ConfigNode {
  /// The value in a few words, for messages: `the number 60`, `'abc'`, `a list`.
  var words: String {
    switch value {
    case .null: "null"
    case .bool(let bool): "the truth value \(bool)"
    case .integer(let digits): "the number \(digits.count > 40 ? digits.prefix(40) + "…" : digits)"
    case .float(let number): "the number \(number.pythonText)"
    case .string(let text): ConfigProblem.quoted(text)
    case .timestamp(let timestamp): "the date \(timestamp.pythonText)"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }

  /// The value as a segment of a key path.
  var pathSegment: String {
    switch value {
    case .string(let text):
      text.contains { $0 == "." || $0.isWhitespace } || text.isEmpty || text.utf8.count > 80
        ? ConfigProblem.quoted(text) : text
    default: pythonText
    }
  }
}
