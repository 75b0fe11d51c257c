/// Collects problems and warnings while a document is read.
///
/// Bound: `maximumProblems` of each kind; the rest is counted and told in one more line.
struct ProblemLog {
  /// More nobody reads.
  static let maximumProblems = 1_000

  let file: String
  private(set) var problems: [ConfigProblem] = []
  private var omitted = 0

  init(file: String) { self.file = file }

  var isEmpty: Bool { problems.isEmpty }

  /// Whether further problems are only counted.
  var isFull: Bool { problems.count >= Self.maximumProblems }

  /// Adds a problem of `node`, which stands at `path`.
  mutating func add(_ node: ConfigNode, _ path: String, _ message: String) {
    add(line: node.line, path, message)
  }

  /// Adds a problem of a line.
  mutating func add(line: Int, _ path: String, _ message: String) {
    guard problems.count < Self.maximumProblems else {
      omitted += 1
      return
    }
    problems.append(ConfigProblem(file: file, line: line, keyPath: path, message: message))
  }

  /// Rewords the problem that was added last.
  mutating func rewordLast(_ reworded: (String) -> String) {
    guard let last = problems.indices.last else { return }
    problems[last].message = reworded(problems[last].message)
  }

  /// All of it, by line; the last one says how many there was no room for.
  func sorted() -> [ConfigProblem] {
    var sorted = ConfigProblem.sorted(problems)
    if omitted > 0, let last = sorted.last {
      sorted.append(
        ConfigProblem(
          file: file, line: last.line, keyPath: "", message: "and \(omitted) more like these"))
    }
    return sorted
  }
}
