public import BudgetModel

/// The ledger's answer, given at once, to a record that need not wait for the disk.
public enum Acceptance: Equatable, Sendable {
  /// Queued, its key claimed: it counts from now on. `LedgerClient.finished` follows.
  case accepted
  /// Its key is on disk with the same fields.
  case duplicate
  /// Its key was accepted before with the same fields and is not on disk yet.
  case inFlight
  /// Its key is known with other fields.
  case mismatch
  /// As `LedgerOutcome.tooOld`.
  case tooOld(horizon: Timestamp)
  /// Not queued, nothing claimed.
  case refused(LedgerRefusal)
}

/// The queue's answer to a record.
public enum Submission: Equatable, Sendable {
  /// Queued: `LedgerClient.finished` will be told its outcome.
  case queued
  /// Definitely not recorded; no outcome follows.
  case refused(LedgerRefusal)
}
