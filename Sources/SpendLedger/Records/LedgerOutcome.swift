public import BudgetModel

/// The outcome of a record.
public enum LedgerOutcome: Equatable, Sendable {
  /// It is on disk, and counted.
  case recorded
  /// Its key was recorded before with the same fields: nothing was added.
  case duplicate
  /// Its key was recorded before with other fields: nothing was added.
  case mismatch
  /// Its key is a UUIDv7 from before the horizon: this record added nothing, an earlier one may
  /// have.
  case tooOld(horizon: Timestamp)
  /// It is definitely not on disk, and its key is free again.
  case notRecorded(LedgerRefusal)
  /// The commit failed with an I/O error: it may or may not be on disk. `LedgerClient.resolved`
  /// says which, once the file was read again.
  case unknown
}

/// Why a record was definitely not recorded.
public enum LedgerRefusal: Equatable, Sendable {
  /// The queue holds as many records or bytes as it may.
  case queueFull
  /// The disk is full.
  case diskFull
  /// SQLite refused before the commit: its extended result code.
  case storage(code: Int32)
  /// The budget's total would leave the range that the ledger can hold.
  case totalTooLarge
  /// Files of the ledger were removed or replaced while it was open: a restart would not find the
  /// record.
  case filesGone
  /// The ledger is closing, or closed.
  case closing
  /// The ledger has failed: this process records nothing more.
  case failed
}

extension LedgerRefusal: CustomStringConvertible {
  /// One clause for a status message or a log.
  public var description: String {
    switch self {
    case .queueFull: "the ledger's queue is full"
    case .diskFull: "the ledger's disk is full"
    case .storage(let code): "the ledger's storage refused (SQLite code \(code))"
    case .totalTooLarge: "the budget's total would exceed what the ledger can hold"
    case .filesGone:
      "files of the ledger were removed or replaced while budgetd ran; /readyz and Ping name them"
    case .closing: "the ledger is closing"
    case .failed: "the ledger has failed; /readyz and Ping say why, and the way out"
    }
  }
}
