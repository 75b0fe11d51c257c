/// Whether the ledger records.
public enum LedgerState: Equatable, Sendable {
  /// It records.
  case ready
  /// The last try to write was refused, or the file is being read again; each batch tries anew, and
  /// once a second the ledger tries by itself.
  case refusing(reason: String)
  /// It records nothing more until the process starts again.
  case failed(reason: String)
}
