/// What the ledger's queue said to a record.
public enum Submission: Equatable, Sendable {
  /// Queued: `LedgerClient.finished` will be told its outcome.
  case queued
  /// Definitely not recorded; no outcome follows.
  case refused(LedgerRefusal)
}
