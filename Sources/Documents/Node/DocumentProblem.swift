import BudgetModel

/// One thing that is wrong, or doubtful, in a document.
public struct DocumentProblem: Hashable, Sendable {
  /// The file as it was named to the reader.
  public var file: String
  /// The line, from 1.
  public var line: Int
  /// The column, from 1, where one is known: syntax errors.
  public var column: Int?
  /// The place in the document, such as
  /// `router_settings.provider_budget_config.openai.budget_limit`. Empty: the document as a whole.
  public var keyPath: String
  /// One sentence: the thing, its value, what is wrong, what would be right.
  public var message: String

  /// Makes a problem.
  public init(file: String, line: Int, column: Int? = nil, keyPath: String, message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.keyPath = keyPath
    self.message = message
  }
}

extension DocumentProblem: CustomStringConvertible {
  /// `file:line: key path: sentence`.
  public var description: String {
    let place = column.map { "\(file):\(line):\($0)" } ?? "\(file):\(line)"
    return keyPath.isEmpty ? "\(place): \(message)" : "\(place): \(keyPath): \(message)"
  }
}

/// Why a document was refused: everything that is wrong with it, file by file in the order of
/// the lines.
public struct DocumentError: Error, Hashable, Sendable {
  /// At least one.
  public let problems: [DocumentProblem]

  /// Makes an error of problems, which it sorts by file and line.
  public init(problems: [DocumentProblem]) {
    self.problems = DocumentProblem.sorted(problems)
  }
}

extension DocumentError: CustomStringConvertible {
  /// One line a problem.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension DocumentProblem {
  /// By file, in the order in which the files first occur, then by line; those of one line stay in
  /// the order in which they were found.
  static func sorted(_ problems: [DocumentProblem]) -> [DocumentProblem] {
    var ranks: [String: Int] = [:]
    for problem in problems where ranks[problem.file] == nil { ranks[problem.file] = ranks.count }
    let keyed = problems.enumerated().map { index, problem in
      (key: (ranks[problem.file] ?? 0, problem.line, index), problem: problem)
    }
    return keyed.sorted { $0.key < $1.key }.map(\.problem)
  }

  /// `value` in quotes for a message: made printable, long ones cut.
  public static func quoted(_ value: String) -> String { "'\(plain(value))'" }

  /// The same without the quotes.
  public static func plain(_ value: String) -> String { value.printable(upTo: 80) }
}

extension DocumentNode {
  /// The value in a few words, for messages: `the number 60`, `'abc'`, `a list`.
  public var words: String {
    switch value {
    case .null: "null"
    case .bool(let bool): "the truth value \(bool)"
    case .integer(let digits): "the number \(digits.count > 40 ? digits.prefix(40) + "…" : digits)"
    case .float(let number): "the number \(number.pythonText)"
    case .string(let text): DocumentProblem.quoted(text)
    case .timestamp(let timestamp): "the date \(timestamp.pythonText)"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }

  /// The value as a segment of a key path.
  public var pathSegment: String {
    switch value {
    case .string(let text):
      text.contains { $0 == "." || $0.isWhitespace } || text.isEmpty || text.utf8.count > 80
        ? DocumentProblem.quoted(text) : text
    default: pythonText
    }
  }
}
