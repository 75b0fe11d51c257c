/// A copy of the ledger that is on disk.
public struct LedgerBackup: Equatable, Sendable {
  /// Its absolute path.
  public var path: String
  /// Its size.
  public var bytes: Int64

  /// Makes one.
  public init(path: String, bytes: Int64) {
    self.path = path
    self.bytes = bytes
  }
}

/// A copy that is asked of the ledger's thread.
struct BackupDraft {
  /// An empty file of the caller's own, by an absolute path that follows no link.
  var path: String
  /// Bytes that the copy may have.
  var room: Int64
}

/// The directory of copies, and how much of the disk they may take.
public struct BackupSettings: Equatable, Sendable {
  /// The directory; made with mode 0700 where it is missing. Nil: `backups` in the data directory.
  public var directory: String?
  /// How many copies the directory may hold.
  public var kept = 7
  /// Bytes of the disk that a copy must leave free.
  public var reserveBytes: Int64 = 256 << 20

  /// The standard settings.
  public init() {}
}
