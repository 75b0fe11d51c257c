/// How a transaction came out.
enum CommitResult {
  case committed
  /// Definitely not: it failed before COMMIT, or COMMIT found the disk full.
  case refused(SQLiteError)
  /// COMMIT failed: what the file holds is known only after it was read again.
  case doubtful(SQLiteError)
}
