public import BudgetModel

/// What became of a record.
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
