import Foundation

/// Reads files that hold secrets.
public enum SecretFile {
  /// More than any line of a secret has.
  private static let maximumLineBytes = 4_096

  /// The bytes of the file at `path`, at most `bound` of them.
  ///
  /// Throws where it is not a file, everybody may read or change it, or it cannot be read.
  public static func bytes(path: String, atMost bound: Int) throws(SecretFileError) -> [UInt8] {
    // A secret of an orchestrator is often a link to the file.
    let url = URL(filePath: path).resolvingSymlinksInPath()
    let attributes = try reading { try FileManager.default.attributesOfItem(atPath: url.path) }
    // Looked at before it is opened: a pipe would have the start wait for its writer.
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw SecretFileError("this is not a file")
    }
    let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
    guard mode & 0o007 == 0 else {
      throw SecretFileError(
        "everybody may read or change it (mode \(String(mode, radix: 8))): chmod 600 \(path)")
    }
    let data = try reading {
      let file = try FileHandle(forReadingFrom: url)
      defer {
        // Nothing was written, so nothing can be lost.
        try? file.close()
      }
      return try file.read(upToCount: bound + 1) ?? Data()
    }
    guard data.count <= bound else {
      throw SecretFileError("it has more than \(bound) bytes, the most that is read")
    }
    return Array(data)
  }

  /// The first line of the file at `path`, which has no other; `what` says in complaints what it is:
  /// `password`.
  public static func line(path: String, what: String) throws(SecretFileError) -> String {
    let bytes: [UInt8]
    do throws(SecretFileError) {
      bytes = try self.bytes(path: path, atMost: maximumLineBytes)
    } catch {
      let isLong = error.message.hasPrefix("it has more than")
      throw isLong ? SecretFileError("\(error.message): a \(what) is one line") : error
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SecretFileError("it is not UTF-8")
    }
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    guard let first = lines.first, !first.isEmpty else {
      throw SecretFileError("it is empty: write the \(what) into its first line")
    }
    guard lines.dropFirst().allSatisfy(\.isEmpty) else {
      throw SecretFileError("it has more than one line: a \(what) is one line")
    }
    return String(first)
  }

  private static func reading<Result>(
    _ body: () throws -> Result
  ) throws(SecretFileError) -> Result {
    do {
      return try body()
    } catch {
      let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
      throw SecretFileError("the file cannot be read: \(reason)")
    }
  }
}

/// Why a file is not taken as a secret's, in words that show nothing of what is in it.
public struct SecretFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The complaint, without the file's name.
  public let message: String

  init(_ message: String) { self.message = message }

  /// The complaint.
  public var description: String { message }
}
