import Foundation
import Glibc

/// The directory that copies go to, held open: whatever its name leads to later, they go here.
struct BackupDirectory: ~Copyable {
  /// Without links: SQLite, which makes the copy, follows none.
  let path: String
  private let descriptor: Descriptor

  private init(path: String, descriptor: consuming Descriptor) {
    self.path = path
    self.descriptor = descriptor
  }

  /// Opens the directory, or makes it.
  static func opened(_ path: String) throws(SystemFailure) -> BackupDirectory {
    if SystemCalls.status(of: path) == nil {
      try SystemCalls.makeDirectory(path)
      try SystemCalls.synchronize(DataDirectory.parent(of: path))
    }
    let real = try SystemCalls.realPath(path)
    return BackupDirectory(
      path: real, descriptor: try Descriptor(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  }

  func holds(_ name: String) -> Bool { descriptor.hasEntry(name) }

  /// Bytes that the disk has free for this process.
  func freeBytes() throws(SystemFailure) -> Int64 { try descriptor.freeBytes() }

  /// How many of its files are copies of a ledger.
  func copyCount() throws(SystemFailure) -> Int {
    var count = 0
    for name in try names() where !name.hasPrefix(".") && isCopy(name) { count += 1 }
    return count
  }

  private func names() throws(SystemFailure) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw SystemFailure(call: "read the directory", code: EIO)
    }
  }

  /// Other files, and what cannot be read, are no copies.
  private func isCopy(_ name: String) -> Bool {
    guard let file = try? descriptor.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
      let header = try? file.head(count: FileCheck.headerBytes)
    else { return false }
    return FileCheck.isLedger(header)
  }

  // MARK: - A copy on its way

  private static let draftEnding = ".partial"

  static func draftName(of name: String) -> String { "." + name + draftEnding }

  /// Makes the empty file that a copy grows in. It is locked while somebody works on it.
  func begin(_ name: String) throws(SystemFailure) -> Descriptor {
    try sweep()
    let draft = Self.draftName(of: name)
    let file = try descriptor.open(draft, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    _ = file.lock()
    try file.setMode(0o600)
    return file
  }

  /// Removes what processes that ended half-way have left; nobody has those files locked.
  private func sweep() throws(SystemFailure) {
    for name in try names() where name.hasPrefix(".") {
      let draft = name.hasSuffix("-journal") ? String(name.dropLast(8)) : name
      guard draft.hasSuffix(Self.draftEnding) else { continue }
      if let file = try? descriptor.open(draft, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), !file.lock() {
        continue
      }
      descriptor.remove(name)
    }
  }

  /// Gives the whole copy its name, which nothing may have by now; its bytes.
  func finish(_ file: borrowing Descriptor, as name: String) throws(SystemFailure) -> Int64 {
    let draft = Self.draftName(of: name)
    guard let status = file.status, status.size > 0,
      descriptor.entry(draft)?.isSameFile(as: status) == true
    else { throw SystemFailure(call: "find the copy", code: ENOENT) }
    try file.synchronize()
    try descriptor.give(draft, theName: name)
    try descriptor.synchronize()
    return status.size
  }

  /// Nothing of a copy that failed stays behind.
  func discard(_ name: String) {
    let draft = Self.draftName(of: name)
    descriptor.remove(draft + "-journal")
    descriptor.remove(draft)
  }
}
