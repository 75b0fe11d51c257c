public import Documents
import Foundation

/// The files that configurations are read from.
///
/// Bound: `maximumBytes` of a configuration, `maximumTraceBytes` of a trace. The error is one
/// problem that says why the file cannot be read.
public enum ConfigFile {
  /// A configuration of a million budgets has a quarter of this.
  public static let maximumBytes = 512 << 20
  /// Traces are read whole, too.
  public static let maximumTraceBytes = 4 << 30

  /// The bytes of the file at `path`, which is one that can be read again: a pipe is refused, and
  /// not waited for.
  public static func bytes(path: String) throws(DocumentError) -> [UInt8] {
    try refusePipe(path)
    return try read(path, atMost: maximumBytes) {
      try FileHandle(forReadingFrom: URL(filePath: path))
    }
  }

  /// The bytes of the file at `path`, once: a pipe is read to its end, and `-` is standard input.
  public static func bytesOnce(
    path: String, atMost bound: Int = maximumBytes
  ) throws(DocumentError) -> [UInt8] {
    try read(path, atMost: bound) {
      path == "-" ? .standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
    }
  }

  /// How the files that the configuration at `path` includes are read: beside it, or, where it has
  /// no folder of its own, in the folder that the process works in.
  public static func includes(of path: String) -> ConfigIncludes {
    let passing = ["/dev/stdin", "/dev/fd/", "/proc/self/fd/"]
    let hasFolder = path != "-" && !passing.contains { path.hasPrefix($0) }
    return ConfigIncludes(
      workingFolder: FileManager.default.currentDirectoryPath, rootFolder: hasFolder ? nil : "",
      exists: { FileManager.default.fileExists(atPath: $0) },
      bytes: { path throws(DocumentError) in try bytes(path: path) })
  }

  private static func read(
    _ path: String, atMost bound: Int, _ open: () throws -> FileHandle
  ) throws(DocumentError) -> [UInt8] {
    do {
      let file = try open()
      defer {
        // Nothing was written, so nothing can be lost.
        if path != "-" { try? file.close() }
      }
      var bytes: [UInt8] = []
      while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty {
        bytes += chunk
        guard bytes.count <= bound else {
          throw refusal(path, "it has more than \(bound >> 20) MiB, the most that is read")
        }
      }
      return bytes
    } catch let error as DocumentError {
      throw error
    } catch {
      throw refusal(path, "the file cannot be read: \(reason(error))")
    }
  }

  /// A pipe gives its bytes once, and to open one may wait for ever.
  private static func refusePipe(_ path: String) throws(DocumentError) {
    let found = URL(filePath: path).resolvingSymlinksInPath().path
    // If this fails, opening the file says why.
    let type = (try? FileManager.default.attributesOfItem(atPath: found))?[.type]
    let passing = ["/dev/stdin", "/dev/fd/", "/proc/self/fd/"]
    let kind = type as? FileAttributeType
    var isPipe = kind == .typeUnknown || path == "-"
    if kind == nil || kind == .typeSymbolicLink, passing.contains(where: { path.hasPrefix($0) }),
      let file = try? FileHandle(forReadingFrom: URL(filePath: path))
    {
      // A pipe has no place to go back to.
      isPipe = (try? file.offset()) == nil
      try? file.close()
    }
    guard isPipe else { return }
    throw refusal(
      path,
      "this is a pipe, which gives its bytes once, and a reload reads again: write them to a file"
    )
  }

  private static func refusal(_ path: String, _ message: String) -> DocumentError {
    let name = path == "-" ? "standard input" : path
    return DocumentError(problems: [
      DocumentProblem(file: name, line: 1, keyPath: "", message: message)
    ])
  }

  /// The system's own words for an error.
  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    guard cause.domain == NSPOSIXErrorDomain else {
      switch error.code {
      case CocoaError.fileReadNoSuchFile.rawValue, CocoaError.fileNoSuchFile.rawValue:
        return texts[ENOENT] ?? ""
      case CocoaError.fileReadNoPermission.rawValue: return texts[EACCES] ?? ""
      default: return error.localizedFailureReason ?? error.localizedDescription
      }
    }
    return texts[Int32(cause.code)] ?? "system error \(cause.code)"
  }

  private static let texts: [Int32: String] = [
    ENOENT: "No such file or directory", EACCES: "Permission denied", EISDIR: "Is a directory",
    ENOTDIR: "Not a directory", ELOOP: "Too many levels of symbolic links",
    ENAMETOOLONG: "File name too long", EIO: "Input/output error", EPERM: "Operation not permitted",
    EMFILE: "Too many open files", ENFILE: "Too many open files in system",
    ENXIO: "No such device or address", EBADF: "Bad file descriptor",
    ENOMEM: "Cannot allocate memory",
    ESTALE: "Stale file handle", EINVAL: "Invalid argument",
  ]
}
