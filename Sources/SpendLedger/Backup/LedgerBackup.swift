/// A copy of the ledger that is on disk.
public struct LedgerBackup: Equatable, Sendable {
  /// Where it is: an absolute path.
  public var path: String
  /// Its size.
  public var bytes: Int64

  /// Makes one.
  public init(path: String, bytes: Int64) {
    self.path = path
    self.bytes = bytes
  }
}

/// What the ledger's thread is asked to copy.
struct BackupDraft {
  /// An empty file of the caller's own, by an absolute path that follows no link.
  var path: String
  /// Bytes that the copy may have.
  var room: Int64
}
