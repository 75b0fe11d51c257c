/// What the ledger has done since it was opened, and how full it is.
public struct LedgerCounters: Equatable, Sendable {
  /// Commits of batches.
  public var commits: UInt64 = 0
  /// Records that were recorded.
  public var recorded: UInt64 = 0
  /// Records that were duplicates.
  public var duplicates: UInt64 = 0
  /// Records whose key was known with other fields.
  public var mismatches: UInt64 = 0
  /// Records refused for the time in their key.
  public var refusedForTime: UInt64 = 0
  /// Records that definitely failed after they had been queued.
  public var notRecorded: UInt64 = 0
  /// Records whose commit ended in doubt.
  public var unknown: UInt64 = 0
  /// Records refused at the queue.
  public var refusedAtQueue: UInt64 = 0
  /// Times that balances were folded into their table.
  public var folds: UInt64 = 0
  /// Checkpoints of the WAL.
  public var checkpoints: UInt64 = 0
  /// Times that the file was opened again after a failed commit.
  public var reopenings: UInt64 = 0
  /// Keys in the index.
  public var keys: Int = 0
  /// Memory that the index of keys takes, in bytes.
  public var keyIndexBytes: Int = 0
  /// Records that wait or are being committed.
  public var waiting: Int = 0
  /// Time spent in commits, in nanoseconds.
  public var commitNanoseconds: UInt64 = 0
  /// The longest commit, in nanoseconds.
  public var longestCommitNanoseconds: UInt64 = 0

  /// All zero.
  public init() {}
}
