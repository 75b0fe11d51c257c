public import BudgetModel

/// Counts of the ledger's work since it was opened, and how full it is.
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
  /// Keys with a time from far ahead, taken as keys without one.
  public var keysAhead: UInt64 = 0
  /// Records that definitely failed after they had been queued.
  public var notRecorded: UInt64 = 0
  /// Records whose commit ended in doubt.
  public var unknown: UInt64 = 0
  /// Records refused at the queue.
  public var refusedAtQueue: UInt64 = 0
  /// Transactions that folded balances into their table, all or a slice of them.
  public var folds: UInt64 = 0
  /// Slices of copies that were made between commits.
  public var backupSlices: UInt64 = 0
  /// Blocks of budgets whose old rows were pruned.
  public var prunedBlocks: UInt64 = 0
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

  /// Commits that definitely failed.
  public var commitsRefused: UInt64 = 0
  /// Commits that ended in doubt.
  public var commitsUnknown: UInt64 = 0
  /// Times that upkeep (folding, checkpoints, forgetting keys) failed.
  public var upkeepFailures: UInt64 = 0
  /// Records in each commit that succeeded.
  public var batchRecords = Histogram(upperBounds: (0...13).map { 1 << $0 })
  /// Nanoseconds of each commit that succeeded.
  public var commitTimes = Histogram(upperBounds: LedgerCounters.commitTimeBounds)

  /// 50 µs to 10 s.
  private static let commitTimeBounds: [Int64] = [
    50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
    50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000,
    5_000_000_000, 10_000_000_000,
  ]

  /// All zero.
  public init() {}

  mutating func count(_ outcomes: [LedgerOutcome]) {
    for outcome in outcomes {
      switch outcome {
      case .recorded: recorded += 1
      case .duplicate: duplicates += 1
      case .mismatch: mismatches += 1
      case .tooOld: refusedForTime += 1
      case .notRecorded: notRecorded += 1
      case .unknown: unknown += 1
      }
    }
  }

  mutating func count(commitOf records: Int, took nanoseconds: UInt64) {
    commits += 1
    batchRecords.add(Int64(records))
    commitTimes.add(Int64(nanoseconds))
    commitNanoseconds += nanoseconds
    longestCommitNanoseconds = max(longestCommitNanoseconds, nanoseconds)
  }
}
