import BudgetServer
import Foundation
import LiteLLMConfig

/// A file that holds one password: its first line.
enum PasswordFile {
  /// More than any password has.
  private static let maximumBytes = 4_096

  /// The password in the file at `path`. Refuses files that everybody may read or change.
  static func password(path: String, option name: String) throws(ServerError) -> RedisSecret {
    let option = "--\(name) \(path)"
    // A secret of an orchestrator is often a link to the file.
    let url = URL(filePath: path).resolvingSymlinksInPath()
    let attributes = try reading(option) {
      try FileManager.default.attributesOfItem(atPath: url.path)
    }
    // Looked at before it is opened: a pipe would have the start wait for its writer.
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw .usage("\(option): this is not a file")
    }
    let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
    guard mode & 0o007 == 0 else {
      throw .usage(
        "\(option): everybody may read or change it (mode \(String(mode, radix: 8))): "
          + "chmod 600 \(path)")
    }
    let data = try reading(option) {
      let file = try FileHandle(forReadingFrom: url)
      defer {
        // Nothing was written, so nothing can be lost.
        try? file.close()
      }
      return try file.read(upToCount: maximumBytes + 1) ?? Data()
    }
    guard data.count <= maximumBytes else {
      throw .usage("\(option): it has more than \(maximumBytes) bytes: a password is one line")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw .usage("\(option): it is not UTF-8")
    }
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    guard let first = lines.first, !first.isEmpty else {
      throw .usage("\(option): it is empty: write the password into its first line")
    }
    guard lines.dropFirst().allSatisfy(\.isEmpty) else {
      throw .usage("\(option): it has more than one line: a password is one line")
    }
    return RedisSecret(String(first))
  }
  private static func reading<Result>(
    _ option: String, _ body: () throws -> Result
  ) throws(ServerError) -> Result {
    do {
      return try body()
    } catch {
      let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
      throw .usage("\(option): the file cannot be read: \(reason)")
    }
  }
}
