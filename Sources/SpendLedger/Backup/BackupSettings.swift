/// Where copies of the ledger go, and how much of the disk they may take.
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
