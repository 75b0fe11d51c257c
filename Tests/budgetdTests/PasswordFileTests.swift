import BudgetServer
import Foundation
import LiteLLMConfig
import Testing

@testable import budgetd

@Suite struct PasswordFileTests {
  private static let option = "redis-password-file"

  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "password-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Writes a file, reads it as a password, and takes the folder away.
  private func read(_ bytes: [UInt8], mode: Int = 0o600) throws -> String {
    defer {
      // The system empties the folder of temporary files at some time.
      try? FileManager.default.removeItem(at: folder)
    }
    let file = folder.appending(path: "file")
    try Data(bytes).write(to: file)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    let link = folder.appending(path: "link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    return try PasswordFile.password(path: link.path, option: Self.option).revealed
  }

  private func refusal(_ body: () throws -> String) -> String {
    do {
      return "accepted: \(try body())"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: ["s3cret", "s3cret\n", "s3cret\r\n", "s3cret\n\n"])
  func theFirstLineIsThePassword(text: String) throws {
    #expect(try read(Array(text.utf8)) == "s3cret")
  }

  @Test func itsOwnGroupMayRead() throws {
    #expect(try read(Array("x".utf8), mode: 0o640) == "x")
  }

  @Test(arguments: [0o604, 0o602, 0o666])
  func whatEverybodyMayReadOrChangeIsRefused(mode: Int) {
    let text = refusal { try read(Array("x".utf8), mode: mode) }
    #expect(text.contains("(mode \(String(mode, radix: 8))): chmod 600"))
  }

  @Test(arguments: [
    ("", "it is empty"), ("\nx", "it is empty"), ("a\nb", "more than one line"),
    (String(repeating: "a", count: 4_097), "more than 4096 bytes"),
  ])
  func whatIsNoPasswordIsRefused(text: String, reason: String) {
    #expect(refusal { try read(Array(text.utf8)) }.contains(reason))
  }

  @Test func bytesThatAreNotTextAreRefused() {
    #expect(refusal { try read([0xFF, 0xFE]) }.contains("it is not UTF-8"))
  }

  @Test func aFolderIsNotAFile() {
    #expect(
      refusal { try PasswordFile.password(path: folder.path, option: Self.option).revealed }
        .contains("this is not a file"))
    #expect(
      refusal {
        try PasswordFile.password(path: folder.path + "/none", option: Self.option).revealed
      }
      .contains("the file cannot be read"))
  }
}
