import BudgetModel
import Synchronization

/// The ledger's own thread: owns the data directory, the connection and the balances. One after
/// the other it takes what waits, commits it, and tells the client.
final class LedgerWriter {
  let settings: LedgerSettings
  let shared: LedgerShared
  let directory: DataDirectory
  var client: (any LedgerClient)?
  /// The files that this life works on, and what has become of their names; nil: they are in place.
  var files: LedgerFiles
  var loss: FileLoss?

  /// Nil once the ledger has failed, unless it holds what no file has.
  var store: LedgerStore?
  var originID: Int64
  /// The names of all origins of this database.
  var origins: [Int64: String] = [:]
  var budgetIDs: [BudgetKey: Int64] = [:] { didSet { knownNames = nil } }
  private var knownNames: [Int64: BudgetKey]?
  var nextBudgetID: Int64 = 1
  /// Budgets that have a number and no row yet.
  var unwrittenBudgets: [(id: Int64, key: BudgetKey)] = []
  var balances = Balances()
  /// Whether the next `changes` tell everything: what was told before may be void.
  var tellsEverything = true
  /// Balances of earlier origins that have changed since `changes` told of them.
  var otherTotals: [BalanceRow] = []

  /// The id of the last batch that was committed, the first whose row is kept, the last folded one.
  var lastBatch: Int64
  var firstBatch: Int64
  var foldedThrough: Int64
  /// When the first batch whose row is kept was committed; nil: not read yet.
  var firstBatchTime: Timestamp?
  /// Keys on disk.
  var keyCount: Int
  /// What a transaction under way, or in doubt, forgets.
  var forgetting: Forgetting?
  /// Keys that the horizon passes later than their rows go.
  var keysAhead: KeysAhead

  var plan = BatchPlan()
  var row = BatchWriter()
  var labels: [SlotLabel?] = []

  // Instants of monotonic time, in nanoseconds.
  var lastTake: Int64 = 0
  var lastFold: Int64
  var lastFoldDuration: Int64 = 0
  var lastMark: Int64
  var lastCommit: Int64
  var lastUpkeep: Int64
  var lastFileCheck: Int64
  var lastFileLook: Int64 = 0
  var lastPruning: Int64
  var lastFailure: Int64?
  var lastUpkeepReport: Int64 = 0
  var jumps: TimeJumps
  var lastForgettingReport: Int64?
  /// The file is to be closed and read again: why, and which batch is in doubt.
  var reopening: (error: SQLiteError, doubt: Doubt?)?
  /// Commands that a full disk kept from being done.
  var postponed: [LedgerCommand] = []

  init(
    settings: LedgerSettings, shared: LedgerShared, directory: consuming DataDirectory,
    opened: OpenedLedger
  ) throws(LedgerError) {
    self.settings = settings
    self.shared = shared
    files = try LedgerFiles.taken(of: directory)
    self.directory = directory
    jumps = TimeJumps(retention: settings.keyRetention.milliseconds)
    keysAhead = KeysAhead(keyBound: settings.keyBound)
    let now = SystemCalls.monotonicNanoseconds()
    (lastFold, lastMark, lastCommit, lastUpkeep, lastPruning) = (now, now, now, now, now)
    lastFileCheck = now
    (originID, lastBatch, firstBatch, foldedThrough, keyCount) = (0, 0, 1, 0, 0)
    adopt(opened)
  }

  static let pruningInterval: Int64 = 3_600 * 1_000_000_000

  /// Makes a database that was just read this writer's own.
  func adopt(_ opened: OpenedLedger) {
    store = opened.store
    originID = opened.originID
    origins = opened.reading.origins
    origins[opened.originID] = opened.origin
    budgetIDs = Dictionary(
      opened.reading.budgets.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    nextBudgetID = (opened.reading.budgets.keys.max() ?? 0) + 1
    unwrittenBudgets = []
    balances = Balances(isCollecting: balances.isCollecting)
    tellsEverything = true
    otherTotals = []
    labels = []
    foldedThrough = opened.reading.meta.foldedThrough
    lastBatch = foldedThrough
    firstBatch = opened.reading.firstBatch ?? lastBatch + 1
    firstBatchTime = nil
    keyCount = opened.reading.keyCount
    let forgotten = Timestamp(unixMilliseconds: opened.reading.meta.forgottenThrough)
    shared.withStatus { $0.horizon.forgottenThrough = forgotten }
  }

  /// The budgets by their numbers.
  var budgetNames: [Int64: BudgetKey] {
    if let knownNames { return knownNames }
    let names = Dictionary(
      budgetIDs.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    knownNames = names
    return names
  }

  /// Works until the queue is closed.
  func run() {
    var take = RecordQueue.Take()
    while true {
      shared.queue.take(into: &take, gathering: gathering, waiting: nextWait())
      lastTake = SystemCalls.monotonicNanoseconds()
      let commands = postponed + take.commands
      postponed = []
      watchFiles()
      reopenIfAsked()
      for command in commands where !command.followsRecords {
        perform(command)
        reopenIfAsked()
      }
      if !take.records.isEmpty { record(take) }
      for command in commands where command.followsRecords {
        perform(command)
        reopenIfAsked()
      }
      if take.isClosing, take.records.isEmpty { break }
      keepUp(isIdle: take.records.isEmpty)
      reopenIfAsked()
    }
    closeDown()
  }

  /// Records that are answered at once need not go to the disk one by one.
  private var gathering: RecordQueue.Gathering? {
    let interval = settings.gatherInterval.nanoseconds
    guard interval > 0 else { return nil }
    return RecordQueue.Gathering(enough: batchBound, until: lastTake + interval)
  }

  /// Records that one commit takes: a fraction of the keys that there may be.
  private var batchBound: Int { min(settings.batchBound, max(1, settings.keyBound / 2)) }

  private func record(_ take: borrowing RecordQueue.Take) {
    var start = 0
    while start < take.records.count {
      let end = min(start + batchBound, take.records.count)
      let putBack = recordBatch(take.records, take.slots, start..<end)
      reopenIfAsked()
      var bytes = 0
      for place in start..<end {
        bytes += QueuedRecord.bytes(slotCount: Int(take.records[place].slotCount))
      }
      for place in putBack {
        bytes -= QueuedRecord.bytes(slotCount: Int(take.records[place].slotCount))
      }
      shared.queue.finished(
        records: end - start - putBack.count, bytes: bytes, isLast: end == take.records.count)
      start = end
    }
  }

  private func closeDown() {
    checkFiles()
    if store != nil { keepUp(isIdle: true, isLast: true) }
    store = nil
  }

  func setState(_ state: LedgerState) {
    let isNew = shared.withStatus { status in
      guard status.state != state else { return false }
      status.state = state
      shared.isReady.store(state == .ready, ordering: .releasing)
      return true
    }
    if isNew { client?.report(.state(state)) }
  }

  /// Nothing more is recorded in this process. `keeping`: its connection may hold what no file has.
  func fail(_ reason: String, keeping: Bool = false) {
    if !keeping { store = nil }
    shared.queue.close(.failed, ends: false)
    setState(.failed(reason: reason))
  }
}
