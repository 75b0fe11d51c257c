import BudgetModel

/// How a ledger works: where it lies, and its bounds.
public struct LedgerSettings: Sendable {
  /// The data directory; made with mode 0700 where it is missing.
  public var directory: String
  /// Records that may wait for a commit.
  public var queueRecordBound = 65_536
  /// Bytes that waiting records may take.
  public var queueByteBound = 64 << 20
  /// Records that one commit takes at most.
  public var batchBound = 4_096
  /// How long after one commit records may gather for the next; fewer, larger commits cost less.
  public var gatherInterval: Duration = .zero
  /// How long keys are remembered.
  public var keyRetention: Duration = .seconds(24 * 3_600)
  /// How many keys are remembered at most, on disk and in memory; past it the oldest are forgotten
  /// early.
  public var keyBound = 20_000_000
  /// The directory of copies.
  public var backups = BackupSettings()
  /// How long windows are kept after they have ended.
  public var windowRetention: Duration = .seconds(35 * 24 * 3_600)
  /// The same of budgets that names have by patterns.
  public var dynamicRetention: Duration = .seconds(7 * 24 * 3_600)
  /// So many windows of a budget that an entry names are kept, however long ago they ended.
  public var windowsKept = 13
  /// So many windows of one budget are kept at most.
  public var windowsKeptAtMost = 10_000
  /// How often balances are folded into their table.
  public var foldInterval: Duration = .milliseconds(100)
  /// How often the time is stored while records come.
  public var clockInterval: Duration = .seconds(1)
  /// Past this size the WAL is checkpointed even under load.
  public var checkpointBytes = 4 << 20
  /// Past this size the WAL is checkpointed and cut.
  public var truncateBytes = 32 << 20
  /// A second failed commit within this time fails the ledger.
  public var failureWindow: Duration = .seconds(60)
  /// Reads the operating system's clocks.
  public var readClock: @Sendable () -> ClockReading = ClockReading.system
  /// So long after a look at the files a commit need not look at all of them before it writes.
  var fileLookInterval: Duration = .milliseconds(10)
  /// How often a round of pruning begins.
  var pruneInterval: Duration = .seconds(3_600)
  /// Work that holds commits up ends after so long, where it can be cut in slices: a few
  /// milliseconds are within what a slow disk takes for a commit.
  var sliceDuration: Duration = .milliseconds(2)
  /// Balances that a transaction folds, about as many as a slice has time for.
  var foldedRows = 512
  /// The most that one window's total may be.
  var totalBound = PicoUSD.maximumTotal
  /// Makes storage fail on purpose, and watches it; tests only.
  var probe: (any StorageProbe)?

  /// Settings with their defaults for a ledger in `directory`.
  public init(directory: String) { self.directory = directory }
}
