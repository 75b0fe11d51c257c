import BudgetModel

/// A database that was opened, read and made this life's own: the writer's point of departure.
struct OpenedLedger {
  var store: LedgerStore
  var reading: LedgerReading
  var originID: Int64
  var origin: String
  var windows: [SpentWindow]
  var openWindows: [SpentWindow] = []
  var fleet: [FleetWindow]
  var held: [HeldBudget] = []
  var changes: [BudgetChange]
  var time: RecoveredTime
  var isNew: Bool
  var wasCopied: Bool

  /// So many of the last lives may still have something in the fleet's store.
  private static let endedOriginBound = 8

  /// The names of the last lives; none where the directory may be a copy of one that is open.
  var endedOrigins: [String] {
    guard !wasCopied else { return [] }
    return reading.origins.filter { $0.key < originID }.sorted { $0.key > $1.key }
      .prefix(Self.endedOriginBound).map(\.value)
  }

  /// Opens the database at `path`, or makes one where `mayCreate`. `eachBatch` gets the
  /// keys that are remembered, the newest batch's first.
  ///
  /// Nothing is written before all was read and found whole. Then the WAL is taken over into the
  /// database, so that what a failed commit left in the page cache alone is on disk before it
  /// counts; then the balances are brought up to the last batch, under a new origin.
  static func open(
    path: String, settings: LedgerSettings, mayCreate: Bool, reading plan: LedgerReading.Plan,
    eachBatch: (BatchKeys) -> Void
  ) throws(LedgerError) -> OpenedLedger {
    let isNew = SystemCalls.status(of: path) == nil
    if isNew {
      guard mayCreate, (SystemCalls.status(of: path + "-wal")?.size ?? 0) == 0 else {
        throw .damaged(path: path, finding: "it is missing")
      }
      try LedgerStore.create(at: path)
    }
    let log = path + "-wal"
    let hadLog = SystemCalls.status(of: log) != nil
    do throws(LedgerError) {
      return try read(
        path: path, settings: settings, isNew: isNew, plan, eachBatch: eachBatch)
    } catch {
      // SQLite makes an empty WAL at the first read. By now nobody has the database open.
      if !hadLog, SystemCalls.status(of: log)?.size == 0 { SystemCalls.remove(log) }
      throw error
    }
  }

  private static func read(
    path: String, settings: LedgerSettings, isNew: Bool, _ plan: LedgerReading.Plan,
    eachBatch: (BatchKeys) -> Void
  ) throws(LedgerError) -> OpenedLedger {
    let store = try LedgerStore(path: path, probe: settings.probe)
    let reading = try LedgerReading.read(store, plan, eachBatch: eachBatch)
    let time = ClockRecovery.time(after: reading.meta.clock, at: settings.readClock())
    let found = try LedgerReading.image(store, budgets: reading.budgets, at: time.time)
    let fleet = try LedgerReading.fleet(
      store, budgets: reading.budgets,
      endingFrom: time.time.unixMilliseconds - FleetWindow.mattersAfterEnd)
    let held = try LedgerReading.held(store, budgets: reading.budgets, at: time.time)
    let nodeID = reading.meta.nodeID.isEmpty ? randomHex() : reading.meta.nodeID
    let place = "\(SystemCalls.machineID)/\(SystemCalls.status(of: path)?.inode ?? 0)"
    var opened = OpenedLedger(
      store: store, reading: reading, originID: (reading.origins.keys.max() ?? 0) + 1,
      origin: nodeID + "." + randomHex(), windows: found.newest, openWindows: found.open,
      fleet: fleet, held: held, changes: try LedgerReading.changes(store), time: time, isNew: isNew,
      wasCopied: !reading.meta.place.isEmpty && reading.meta.place != place)
    opened.reading.meta.nodeID = nodeID
    opened.reading.meta.foldedThrough = reading.lastBatch ?? reading.meta.foldedThrough
    opened.reading.meta.forgottenThrough = max(
      reading.meta.forgottenThrough, reading.dropped?.time.unixMilliseconds ?? .min)
    do throws(SQLiteError) {
      try store.checkpoint(cuts: true)
    } catch {
      throw error.ledgerError(path: path)
    }
    let ended = time.time.unixMilliseconds - settings.windowRetention.milliseconds
    let result = store.transact { () throws(SQLiteError) in
      try opened.adopt(place: place)
    }
    switch result {
    case .committed: break
    case .refused(let error), .doubtful(let error): throw error.ledgerError(path: path)
    }
    if !reading.unfolded.isEmpty {
      let image = try LedgerReading.image(store, budgets: reading.budgets, at: time.time)
      (opened.windows, opened.openWindows) = (image.newest, image.open)
    }
    opened.windows.removeAll { $0.window.end.unixMilliseconds < ended }
    return opened
  }

  private func adopt(place: String) throws(SQLiteError) {
    let statements = store.statements
    try statements.insertOrigin(id: originID, name: origin)
    try statements.setMeta(LedgerMeta.Name.nodeID, reading.meta.nodeID)
    try statements.setMeta(LedgerMeta.Name.place, place)
    let mark = ClockMark(
      time: time.time, boottimeMilliseconds: time.reading.boottimeMilliseconds,
      bootID: time.reading.bootID)
    try statements.setMeta(LedgerMeta.Name.clock, LedgerMeta.text(mark))
    try statements.setMeta(LedgerMeta.Name.foldedThrough, "\(reading.meta.foldedThrough)")
    if let dropped = reading.dropped {
      try statements.deleteBatches(through: dropped.batch)
      try statements.setMeta(
        LedgerMeta.Name.forgottenThrough, "\(reading.meta.forgottenThrough)")
    }
    for (later, charged) in reading.unfolded {
      let before = try statements.balance(later.key, origin: later.origin)
      try statements.setBalance(
        BalanceRow(
          key: later.key, end: min(charged.end, before?.end ?? charged.end), origin: later.origin,
          amount: (before?.amount ?? .zero) + charged.amount))
    }
    try statements.removeFolds()
    if reading.meta.learned.count > keptCosts { try store.statements.deleteCosts() }
    try store.held.deleteEnded(by: time.time.unixMilliseconds / 1_000)
  }

  /// Past so many all are forgotten: kinds that nobody asks for any more would stay for ever.
  private let keptCosts = 200_000

  private static func randomHex() -> String {
    let digits = String(UInt32.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
