/// One thing that is wrong, or doubtful, in a configuration.
public struct ConfigProblem: Hashable, Sendable {
  /// The file as it was named to the loader.
  public var file: String
  /// The line, from 1.
  public var line: Int
  /// The column, from 1, where one is known: syntax errors.
  public var column: Int?
  /// Where in the document, such as `router_settings.provider_budget_config.openai.budget_limit`.
  /// Empty: the document as a whole.
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

extension ConfigProblem: CustomStringConvertible {
  /// `file:line: key path: sentence`.
  public var description: String {
    let place = column.map { "\(file):\(line):\($0)" } ?? "\(file):\(line)"
    return keyPath.isEmpty ? "\(place): \(message)" : "\(place): \(keyPath): \(message)"
  }
}

/// Why a configuration was refused: everything that is wrong with it, file by file in the order of
/// the lines.
public struct ConfigError: Error, Hashable, Sendable {
  /// At least one.
  public let problems: [ConfigProblem]

  /// Makes an error of problems, which it sorts by file and line.
  public init(problems: [ConfigProblem]) {
    self.problems = ConfigProblem.sorted(problems)
  }
}

extension ConfigError: CustomStringConvertible {
  /// One line a problem.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension ConfigProblem {
  /// By file, in the order in which the files first occur, then by line; those of one line stay in
  /// the order in which they were found.
  static func sorted(_ problems: [ConfigProblem]) -> [ConfigProblem] {
    var ranks: [String: Int] = [:]
    for problem in problems where ranks[problem.file] == nil { ranks[problem.file] = ranks.count }
    let keyed = problems.enumerated().map { index, problem in
      (key: (ranks[problem.file] ?? 0, problem.line, index), problem: problem)
    }
    return keyed.sorted { $0.key < $1.key }.map(\.problem)
  }

  /// `value` in quotes for a message: control characters escaped, long ones cut.
  static func quoted(_ value: String) -> String { "'\(plain(value))'" }

  /// The same without the quotes.
  static func plain(_ value: String) -> String {
    let limit = 80
    var text = ""
    for scalar in value.unicodeScalars.prefix(limit) {
      let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
      text += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(Character(scalar))
    }
    return value.unicodeScalars.count > limit ? text + "…" : text
  }
}
