import Foundation

/// The file that a trace is written to, and the one before it.
///
/// Confined to the trace's thread. Both together keep the bound: a file that has half of it becomes
/// the one before, whose predecessor goes.
final class TraceFile {
  private let path: String
  private let bound: Int
  private var handle: FileHandle?
  /// How many bytes the file has.
  private(set) var byteCount = 0

  /// Opens the file, after what is there has become the one before it.
  ///
  /// Throws why it cannot be written.
  init(_ options: TraceOptions) throws(ServerError) {
    path = options.path
    bound = options.maximumBytes / 2
    do throws(TraceFileError) {
      try open()
    } catch {
      throw .unavailable("--trace \(path): \(error.reason)")
    }
  }

  /// Whether it is time for another file.
  var isFull: Bool { byteCount >= bound / 2 }

  /// Whether `count` bytes more are within the bound.
  func hasRoom(for count: Int) -> Bool { byteCount + count <= bound }

  /// Begins another file.
  func rotate() throws(TraceFileError) {
    // A failed close loses nothing: all of it was written before.
    try? handle?.close()
    handle = nil
    try open()
  }

  /// Appends bytes. After a failure nothing is written until `rotate`.
  func write(_ bytes: [UInt8]) throws(TraceFileError) {
    guard let handle else { throw TraceFileError(reason: "it is not open") }
    do {
      try handle.write(contentsOf: Data(bytes))
      byteCount += bytes.count
    } catch {
      self.handle = nil
      throw TraceFileError(error)
    }
  }

  /// Whether nothing is lost with the file: a mistyped name may be the ledger's.
  private func isTraceOrNothing(_ path: String) -> Bool {
    guard FileManager.default.fileExists(atPath: path) else { return true }
    guard let handle = FileHandle(forReadingAtPath: path) else { return false }
    // A failed close of what was only read loses nothing.
    defer { try? handle.close() }
    do {
      // Nil: it is empty.
      let start = try handle.read(upToCount: TraceText.start.count)
      return start?.elementsEqual(TraceText.start) ?? true
    } catch {
      return false
    }
  }

  private func open() throws(TraceFileError) {
    let files = FileManager.default
    do {
      // A link, a pipe or a folder is not written over.
      if let kind = try? files.attributesOfItem(atPath: path)[.type] as? FileAttributeType {
        guard kind == .typeRegular else {
          throw TraceFileError(reason: "there is something there that is not a file; name another")
        }
        for path in [path, path + ".1"] where !isTraceOrNothing(path) {
          throw TraceFileError(
            reason: "\(path) is there and is no trace: name another, or move it away")
        }
        // Gone already is as good.
        try? files.removeItem(atPath: path + ".1")
        try files.moveItem(atPath: path, toPath: path + ".1")
      }
      guard
        files.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
      else {
        throw TraceFileError(NSError(domain: NSPOSIXErrorDomain, code: Int(errno)))
      }
      handle = try FileHandle(forWritingTo: URL(filePath: path))
      byteCount = 0
    } catch let error as TraceFileError {
      throw error
    } catch {
      throw TraceFileError(error)
    }
  }
}

/// Why a trace cannot be written.
struct TraceFileError: Error {
  /// A few words, behind the file's name.
  let reason: String

  init(reason: String) { self.reason = reason }

  init(_ error: any Error) {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    reason = cause.localizedFailureReason ?? cause.localizedDescription
  }
}
