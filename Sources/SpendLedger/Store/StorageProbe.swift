/// Stands between the ledger and its storage in tests: makes a step fail, and sees the order of
/// steps. Called on the ledger's thread.
protocol StorageProbe: Sendable {
  /// The SQLite code that the step shall fail with; nil lets it happen.
  func fault(at step: StorageStep) -> Int32?
}

/// A step at which storage can be made to fail.
enum StorageStep: Equatable, Sendable {
  /// A transaction's first write.
  case write
  /// COMMIT, which a fault here keeps from happening.
  case commit
  /// COMMIT has happened: a fault here reports that it failed all the same.
  case committed
  /// The database is opened.
  case open
  /// The WAL is checkpointed.
  case checkpoint
  /// The database is being copied.
  case copying
}
