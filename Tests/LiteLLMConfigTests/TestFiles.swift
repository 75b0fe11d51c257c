import Foundation
import LiteLLMConfig

/// The files next to the tests.
enum TestFiles {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()

  /// The objects of a vector file, one a line.
  static func lines(_ name: String) throws -> [ConfigNode] {
    let url = folder.appending(path: "Vectors/\(name)")
    let text = try String(contentsOf: url, encoding: .utf8)
    return try text.split(separator: "\n").enumerated().map { index, line in
      try ConfigNode.parse(json: String(line), file: name, line: index + 1)
    }
  }

  /// What a Python script of this folder prints, one JSON document a line.
  static func python(_ script: String, _ arguments: [String]) throws -> [ConfigNode] {
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
      try ConfigNode.parse(json: String(line))
    }
  }

  struct ScriptFailure: Error {
    var status: Int32
  }
}
