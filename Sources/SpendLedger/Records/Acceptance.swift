public import BudgetModel

/// What the ledger said at once to a record that is to be answered before it is on disk.
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
