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

  /// Other files, and those that cannot be read, are not copies.
  private func isCopy(_ name: String) -> Bool {
    guard let file = try? descriptor.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
      let header = try? file.head(count: FileCheck.headerBytes)
    else { return false }
    return FileCheck.isLedger(header)
  }

  // MARK: - A copy on its way

  /// The file that a copy grows in, by a name that nobody else makes. It is locked meanwhile.
  struct Draft: ~Copyable {
    let name: String
    fileprivate let file: Descriptor
  }

  private static let (draftBeginning, draftEnding) = (".budgetd-", ".partial")
  private static let companion = "-journal"

  private static func draftName() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return draftBeginning + String(repeating: "0", count: 16 - digits.count) + digits + draftEnding
  }

  /// The draft that a file is, or belongs to; nil: it is another's.
  private static func draft(of name: String) -> String? {
    let draft = name.hasSuffix(companion) ? String(name.dropLast(companion.count)) : name
    guard draft.hasPrefix(draftBeginning), draft.hasSuffix(draftEnding) else { return nil }
    let digits = draft.utf8.dropFirst(draftBeginning.utf8.count).dropLast(draftEnding.utf8.count)
    let isHex = digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    return digits.count == 16 && isHex ? draft : nil
  }

  /// Makes the empty file that a copy grows in.
  func begin() throws(SystemFailure) -> Draft {
    try sweep()
    let name = Self.draftName()
    let file = try descriptor.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    _ = file.lock()
    try file.setMode(0o600)
    return Draft(name: name, file: file)
  }

  /// Removes what processes that ended half-way have left; nobody has those files locked.
  private func sweep() throws(SystemFailure) {
    for name in try names() {
      guard let draft = Self.draft(of: name) else { continue }
      if descriptor.hasEntry(draft) {
        guard let file = try? descriptor.open(draft, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
          file.lock()
        else { continue }
      }
      descriptor.remove(name)
    }
  }

  /// A whole copy needs no log beside it: its header says so, as SQLite's file format has it, and
  /// whoever reads it writes nothing beside it.
  func seal(_ draft: borrowing Draft) throws(SystemFailure) {
    try draft.file.write([1, 1], at: FileCheck.formatOffset)
  }

  /// Gives the whole copy its name, which nothing may have by now; its bytes.
  func finish(_ draft: borrowing Draft, as name: String) throws(SystemFailure) -> Int64 {
    guard let status = draft.file.status, status.size > 0,
      descriptor.entry(draft.name)?.isSameFile(as: status) == true
    else { throw SystemFailure(call: "find the copy", code: ENOENT) }
    try draft.file.synchronize()
    try descriptor.give(draft.name, theName: name)
    try descriptor.synchronize()
    return status.size
  }

  /// Nothing of a copy that failed stays behind.
  func discard(_ draft: borrowing Draft) {
    descriptor.remove(draft.name + Self.companion)
    descriptor.remove(draft.name)
  }
}
