import Documents

/// The files of one document, whose lines count on from file to file: a node's line alone tells where
/// it is from.
struct SourceLines {
  /// A file and its lines within the document.
  private struct File {
    var name: String
    /// How many lines of the document stand before it.
    var offset: Int
  }

  private var files: [File]
  /// How many lines all files have.
  private var count = 0

  /// A document of one file.
  init(file: String) { files = [File(name: file, offset: 0)] }

  /// Notes how long the last file is.
  mutating func end(_ bytes: [UInt8]) {
    count = (files.last?.offset ?? 0) + bytes.count { $0 == UInt8(ascii: "\n") } + 1
  }

  /// Begins another file, behind the last one that has ended. Returns its offset.
  mutating func begin(_ file: String) -> Int {
    files.append(File(name: file, offset: count))
    return count
  }

  /// The name of the first file.
  var root: String { files.first?.name ?? "" }

  /// The names of the other files.
  var included: [String] { files.dropFirst().map(\.name) }

  /// The file that a line of the document is in, and its line there.
  func place(of line: Int) -> (file: String, line: Int) {
    let file = files.last { $0.offset < line } ?? files.first
    return (file?.name ?? "", line - (file?.offset ?? 0))
  }

  /// A line of the document in words, for a message about another one: `line 4`, or
  /// `models/a.yaml:4` where it is in another file.
  func words(_ line: Int, from other: Int) -> String {
    let there = place(of: line)
    return there.file == place(of: other).file
      ? "line \(there.line)" : "\(DocumentProblem.plain(there.file)):\(there.line)"
  }
}
