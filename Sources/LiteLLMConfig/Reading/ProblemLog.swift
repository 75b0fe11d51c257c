import Documents

/// Collects problems and warnings while a document is read.
///
/// Bound: `maximumProblems` of each kind; the rest is counted and told in one more line.
struct ProblemLog {
  /// More nobody reads.
  static let maximumProblems = 1_000

  /// The document's files: problems name theirs.
  var lines: SourceLines
  /// Values that no message may show.
  var secrets: [String] = []
  private var found: [Found] = []
  private var omitted = 0

  /// A problem, with its line in the document as a whole.
  private struct Found {
    var line: Int
    var problem: DocumentProblem
  }

  init(file: String) { lines = SourceLines(file: file) }

  init(lines: SourceLines) { self.lines = lines }

  /// The problems so far, in that order.
  var problems: [DocumentProblem] { found.map(\.problem) }

  /// How many there are; those that are only counted are not among them.
  var count: Int { found.count }

  var isEmpty: Bool { found.isEmpty }

  /// Whether further problems are only counted.
  var isFull: Bool { found.count >= Self.maximumProblems }

  /// Adds a problem of `node`, which stands at `path`.
  mutating func add(_ node: DocumentNode, _ path: String, _ message: String) {
    add(line: node.line, path, message)
  }

  /// Adds a problem of a line.
  mutating func add(line: Int, _ path: String, _ message: String) {
    guard !isFull else {
      omitted += 1
      return
    }
    let place = lines.place(of: line)
    found.append(
      Found(
        line: line,
        problem: DocumentProblem(
          file: place.file, line: place.line, keyPath: path, message: hidden(message))))
  }

  /// Rewords the problem that was added last.
  mutating func rewordLast(_ reworded: (String) -> String) {
    guard let last = found.indices.last else { return }
    found[last].problem.message = reworded(found[last].problem.message)
  }

  /// All of it, by line; the last one says how many there was no room for.
  func sorted() -> [DocumentProblem] {
    var sorted = found.enumerated()
      .sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
      .map(\.element.problem)
    if omitted > 0, let last = sorted.last {
      sorted.append(
        DocumentProblem(
          file: last.file, line: last.line, keyPath: "", message: "and \(omitted) more like these"))
    }
    return sorted
  }

  /// The message without values that may not be shown.
  private func hidden(_ message: String) -> String {
    var message = message
    for secret in secrets {
      message = message.replacing(DocumentProblem.quoted(secret), with: "a value that is not shown")
    }
    return message
  }
}
