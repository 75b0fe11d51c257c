import Glibc
import Sockets

// The calls of the system that the journal needs. Each is lent what it reads or fills in for the length
// of the call, and keeps nothing.

/// Files and folders of journals, by their paths.
enum JournalFiles {
  /// Makes the folder, and those above it that are missing.
  static func makeFolder(_ path: String) throws(JournalFault) {
    if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    let parent = path.split(separator: "/").dropLast().joined(separator: "/")
    guard errno == ENOENT, !parent.isEmpty else { throw JournalFault(code: errno) }
    try makeFolder((path.hasPrefix("/") ? "/" : "") + parent)
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw JournalFault(code: errno) }
  }

  /// The names in the folder, sorted.
  static func names(in folder: String) throws(JournalFault) -> [String] {
    guard let listing = unsafe opendir(folder) else { throw JournalFault(code: errno) }
    defer { unsafe closedir(listing) }
    var names: [String] = []
    while let entry = unsafe readdir(listing) {
      guard let name = unsafe entry.pointer(to: \.d_name) else { continue }
      unsafe names.append(
        String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self)))
    }
    return names.sorted()
  }

  static func read(_ path: String) throws(JournalFault) -> [UInt8] {
    let file = try JournalFile(path, O_RDONLY)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { room in
        SystemCalls.retrying { unsafe Glibc.read(file.number, room.baseAddress, room.count) }
      }
      if count < 0 { throw JournalFault(code: Int32(truncatingIfNeeded: -count)) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  static func rename(_ old: String, to new: String) throws(JournalFault) {
    if unsafe Glibc.rename(old, new) != 0 { throw JournalFault(code: errno) }
  }

  /// That it is gone already is as good.
  static func remove(_ path: String) { _ = unsafe unlink(path) }

  /// Writes to standard error.
  static func complain(_ text: String) {
    // There is nobody to tell that it could not be told.
    _ = try? JournalFile.write(Array(text.utf8), to: STDERR_FILENO)
  }
}

/// An open file; it closes when its owner goes.
struct JournalFile: ~Copyable, Sendable {
  private let descriptor: Descriptor

  var number: Int32 { descriptor.number }

  init(_ path: String, _ flags: Int32) throws(JournalFault) {
    let number = unsafe Glibc.open(path, flags | O_CLOEXEC, 0o600)
    guard number >= 0 else { throw JournalFault(code: errno) }
    descriptor = Descriptor(adopting: number)
  }

  /// A file of nobody's, to be written from its begin.
  init(creating path: String) throws(JournalFault) {
    try self.init(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND)
  }

  /// Adds bytes at the end; where the disk takes only some of them, those are a broken entry, which
  /// readers stop at.
  func append(_ bytes: [UInt8]) throws(JournalFault) { try Self.write(bytes, to: number) }

  /// Keeps the first `length` bytes.
  func cut(to length: Int) throws(JournalFault) {
    if ftruncate(number, off_t(length)) != 0 { throw JournalFault(code: errno) }
  }

  fileprivate static func write(_ bytes: [UInt8], to number: Int32) throws(JournalFault) {
    let count = unsafe bytes.withUnsafeBytes { buffer in
      SystemCalls.retrying { unsafe Glibc.write(number, buffer.baseAddress, buffer.count) }
    }
    if count < 0 { throw JournalFault(code: Int32(truncatingIfNeeded: -count)) }
    if count < bytes.count { throw JournalFault(code: ENOSPC) }
  }
}

/// A call of the system that failed.
struct JournalFault: Error, Hashable, CustomStringConvertible {
  let code: Int32

  var isAbsence: Bool { code == ENOENT }
  var description: String { SystemCalls.message(for: code) }
}
