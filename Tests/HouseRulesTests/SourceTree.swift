import Foundation

/// The project's files as text.
enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// A Swift file; its name is relative to the folder that was asked for.
  struct File {
    var name: String
    var text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// The modules that it imports.
    var imports: [String] {
      text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index <= 2, words.count > index + 1 else {
          return nil
        }
        let before = words[..<index]
        guard
          before.allSatisfy({
            ["public", "package", "internal", "@testable", "@_exported"].contains($0)
          })
        else { return nil }
        let isScoped = ["struct", "enum", "class", "protocol", "func"].contains(words[index + 1])
        let path = isScoped ? words.dropFirst(index + 2).first : words[index + 1]
        return path?.split(separator: ".").first.map(String.init)
      }
    }
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The Swift files below `folder`.
  static func files(in folder: String) throws -> [File] {
    let url = root.appending(path: folder)
    return try FileManager.default.subpathsOfDirectory(atPath: url.path).sorted()
      .filter { $0.hasSuffix(".swift") }
      .map { File(name: $0, text: try text("\(folder)/\($0)")) }
  }

  /// The Swift files of each module in Sources; names are relative to the module's folder.
  static func modules() throws -> [String: [File]] {
    var modules: [String: [File]] = [:]
    let folder = root.appending(path: "Sources").path
    for module in try FileManager.default.contentsOfDirectory(atPath: folder) {
      let files = try files(in: "Sources/\(module)")
      if !files.isEmpty { modules[module] = files }
    }
    return modules
  }
}
