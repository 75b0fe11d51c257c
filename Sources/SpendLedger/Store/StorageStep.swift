/// Where storage can be made to fail.
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
