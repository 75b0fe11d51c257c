/// Stands between the ledger and its storage in tests: makes a step fail, and sees the order of
/// steps. Called on the ledger's thread.
protocol StorageProbe: Sendable {
  /// The SQLite code that the step shall fail with; nil lets it happen.
  func fault(at step: StorageStep) -> Int32?
}
