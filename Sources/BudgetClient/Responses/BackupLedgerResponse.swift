/// The ledger is copied.
public struct BackupLedgerResponse: Hashable, Sendable {
  /// The copy's size.
  public var bytes: UInt64
  /// Where the copy is on the server's disk; empty where the server does not say, before 0.3.0.
  public var path: String
}
