import Foundation
import Testing

/// Runs programs of the project and Debian's protoc, which judges the bytes as another
/// implementation would.
enum ProtocTool {
  /// The repository's root.
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  struct Outcome {
    let status: Int32
    let output: [UInt8]
    let errors: String
  }

  /// Runs `arguments`, the first being the program, in the repository's root.
  static func run(_ arguments: [String], input: [UInt8] = []) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.currentDirectoryURL = root
    let stdin = Pipe()
    let directory = FileManager.default.temporaryDirectory
    let output = directory.appendingPathComponent(UUID().uuidString)
    let errors = directory.appendingPathComponent(UUID().uuidString)
    for file in [output, errors] {
      guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
        throw CocoaError(.fileWriteUnknown)
      }
    }
    // Removing a temporary file may fail without harm.
    defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
    process.standardInput = stdin
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    try stdin.fileHandleForWriting.write(contentsOf: Data(input))
    try stdin.fileHandleForWriting.close()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: Array(try Data(contentsOf: output)),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }

  /// The bytes of a message of the type `type` that stands in protobuf's text format.
  static func encoded(_ text: String, as type: String) throws -> [UInt8] {
    let outcome = try run(
      ["protoc", "-Iproto", "--encode=budget.v1.\(type)", "budget/v1/budget.proto"],
      input: Array(text.utf8))
    try #require(outcome.status == 0, "\(outcome.errors)")
    return outcome.output
  }

  /// The message of the type `type` in protobuf's text format.
  static func decoded(_ bytes: [UInt8], as type: String) throws -> String {
    let outcome = try run(
      ["protoc", "-Iproto", "--decode=budget.v1.\(type)", "budget/v1/budget.proto"], input: bytes)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return String(decoding: outcome.output, as: UTF8.self)
  }
}
