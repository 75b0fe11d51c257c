import Documents
import Foundation
import LiteLLMConfig

/// The files next to the tests.
enum TestFiles {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()

  /// The objects of a vector file, one a line.
  static func lines(_ name: String) throws -> [DocumentNode] {
    let url = folder.appending(path: "Vectors/\(name)")
    let text = try String(contentsOf: url, encoding: .utf8)
    return try text.split(separator: "\n").enumerated().map { index, line in
      try DocumentNode.parse(json: String(line), file: name, line: index + 1)
    }
  }
}
