public import BudgetModel

/// An event that belongs in a log.
public enum LedgerEvent: Equatable, Sendable {
  /// The state is another than before.
  case state(LedgerState)
  /// The file was closed after a failed commit and read again. Whether the batch in doubt was
  /// there; nil where none was in doubt.
  case reopened(origin: String, batchWasRecorded: Bool?)
  /// Keys were forgotten before their time since there are more than the bound.
  case keysForgottenEarly(horizon: Timestamp)
  /// A budget that was renamed found spend under its new name: both were joined.
  case renameJoined(from: BudgetKey, to: BudgetKey)
  /// Noted limits of these budgets had changed on the disk: they were forgotten, and those in force were
  /// noted anew.
  case limitsReplaced([String])
  /// Upkeep (folding, checkpoint, forgetting old rows) failed and will be tried again.
  case upkeepFailed(what: String, reason: String)
}

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
