import Documents
import Foundation

/// Scripts next to the tests.
enum PythonScript {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

  /// The output of a Python script of this folder, one JSON document a line.
  static func lines(of script: String, _ arguments: [String]) throws -> [DocumentNode] {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", folder.appending(path: script).path] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ScriptFailure(status: process.terminationStatus)
    }
    return try String(decoding: data, as: UTF8.self).split(separator: "\n").map { line in
      try DocumentNode.parse(json: String(line))
    }
  }

  struct ScriptFailure: Error {
    var status: Int32
  }
}
