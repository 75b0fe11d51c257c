import Foundation
import SecretFiles
import Testing

@Suite struct SecretFileTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Reads a file of `bytes` through a link, and takes the folder away.
  private func complaint(_ bytes: [UInt8], mode: Int = 0o600) throws -> String {
    defer {
      // The system empties the folder of temporary files at some time.
      try? FileManager.default.removeItem(at: folder)
    }
    let file = folder.appending(path: "file")
    try Data(bytes).write(to: file)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    let link = folder.appending(path: "link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    do throws(SecretFileError) {
      return "read: " + (try SecretFile.line(path: link.path, what: "token"))
    } catch {
      return error.message
    }
  }

  @Test(arguments: ["s3cret", "s3cret\n", "s3cret\r\n", "s3cret\n\n"])
  func theFirstLineIsTheSecret(text: String) throws {
    #expect(try complaint(Array(text.utf8)) == "read: s3cret")
  }

  @Test func itsOwnGroupMayRead() throws {
    #expect(try complaint(Array("x".utf8), mode: 0o660) == "read: x")
  }

  @Test(arguments: [0o604, 0o602, 0o601, 0o666])
  func aFileThatEverybodyMayReadOrChangeIsRefused(mode: Int) throws {
    #expect(
      try complaint(Array("x".utf8), mode: mode)
        .contains("(mode \(String(mode, radix: 8))): chmod 600"))
  }

  @Test(arguments: [
    ("", "it is empty: write the token"), ("\nx", "it is empty"), ("a\nb", "a token is one line"),
    (String(repeating: "a", count: 4_097), "more than 4096 bytes"),
  ])
  func textsThatAreNotASecretAreRefused(text: String, reason: String) throws {
    #expect(try complaint(Array(text.utf8)).contains(reason))
  }

  @Test func onlyAFileIsRead() throws {
    for path in [folder.path, "/dev/null"] {
      #expect(throws: SecretFileError.self) { try SecretFile.bytes(path: path, atMost: 1) }
    }
    #expect(throws: SecretFileError.self) {
      try SecretFile.bytes(path: folder.path + "/none", atMost: 1)
    }
  }

  @Test func asManyBytesAsMayAreRead() throws {
    let file = folder.appending(path: "bytes")
    try Data([1, 2, 3]).write(to: file)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    #expect(try SecretFile.bytes(path: file.path, atMost: 3) == [1, 2, 3])
    #expect(throws: SecretFileError.self) { try SecretFile.bytes(path: file.path, atMost: 2) }
  }
}
