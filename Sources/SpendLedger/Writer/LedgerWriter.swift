import BudgetModel
import Synchronization

/// The ledger's own thread: owns the data directory, the connection and the balances. One after
/// the other it takes what waits, commits it, and tells the client.
///
/// Work that would hold commits up is done in slices between them: folding, forgetting, pruning,
/// copies.
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
  var originID: Int64 = 0
  /// The names of all origins of this database.
  var origins: [Int64: String] = [:]
  var budgets = BudgetNumbers()
  var balances = Balances()
  /// The place of the balance that each slot was charged to last; -1: it was not charged yet.
  var lastPlaces = Pieces<Int32>()
  var log: BatchLog
  /// Keys that the horizon passes later than their rows go.
  var keysAhead: KeysAhead
  var jumps: TimeJumps
  var schedule: WriterSchedule
  var plan = BatchPlan()
  var row = BatchWriter()
  var held = HeldRows()

  /// Whether the next `changes` tell everything: what was told before may be void.
  var tellsEverything = true
  /// Balances of earlier origins that have changed since `changes` told of them.
  var otherTotals: [BalanceRow] = []
  /// The file is to be closed and read again: why, and which batch is in doubt.
  var reopening: (error: SQLiteError, doubt: Doubt?)?
  /// Commands that a full disk kept from being done.
  var postponed: [LedgerCommand] = []
  /// The copy that is being made.
  var copying: BackupCopy?
  /// The block of budgets that is pruned next; nil: no round is under way.
  var pruning: Int64?

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
    log = BatchLog(settings)
    schedule = WriterSchedule(settings, at: SystemCalls.monotonicNanoseconds())
    adopt(opened)
  }

  /// Makes a database that was just read this writer's own.
  func adopt(_ opened: OpenedLedger) {
    store = opened.store
    originID = opened.originID
    origins = opened.reading.origins
    origins[opened.originID] = opened.origin
    budgets = BudgetNumbers(opened.reading.budgets)
    balances = Balances(isCollecting: balances.isCollecting)
    tellsEverything = true
    otherTotals = []
    lastPlaces = Pieces()
    pruning = nil
    log.begin(
      last: opened.reading.meta.foldedThrough, first: opened.reading.firstBatch,
      keyCount: opened.reading.keyCount)
    balances.begin(batch: log.last + 1, at: schedule.lastTake)
    let forgotten = Timestamp(unixMilliseconds: opened.reading.meta.forgottenThrough)
    shared.withStatus { $0.horizon.forgottenThrough = forgotten }
  }

  /// Works until the queue is closed.
  func run() {
    var take = RecordQueue.Take()
    while true {
      shared.queue.take(
        into: &take, gathering: schedule.gathering(enough: batchBound), waiting: nextWait())
      schedule.lastTake = SystemCalls.monotonicNanoseconds()
      balances.begin(batch: log.last + 1, at: schedule.lastTake)
      let commands = postponed + take.commands
      postponed = []
      if store != nil, schedule.checksFiles(at: schedule.lastTake) { checkFiles() }
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
      goOnCopying()
    }
    closeDown()
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
    endCopying(.closed)
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
    endCopying(.backup("\(reason); try again"))
    if !keeping { store = nil }
    shared.queue.close(.failed, ends: false)
    setState(.failed(reason: reason))
  }
}
