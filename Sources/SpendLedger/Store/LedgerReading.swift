import BudgetModel
import Digest

/// All that a start reads of the database: its facts, its budgets, the balances of later batches.
/// Each row is checked against its seal; nothing is written.
struct LedgerReading {
  var meta = LedgerMeta()
  var budgets: [Int64: BudgetKey] = [:]
  var origins: [Int64: String] = [:]
  /// Blocks of budgets whose balances hold more batches than `meta.foldedThrough` says: up to
  /// which.
  var folds: [Int64: Int64] = [:]
  /// The charges of batches that balances do not hold yet, by window and origin.
  var unfolded: [LaterBalance: (end: Int64, amount: PicoUSD)] = [:]
  /// The oldest batch whose keys are remembered, and the newest batch.
  var firstBatch: Int64?
  var lastBatch: Int64?
  /// The newest batch whose keys are forgotten, since there are more than may be, and its time.
  var dropped: (batch: Int64, time: Timestamp)?
  var keyCount = 0
  /// The digest of the row that was asked for.
  var wantedDigest: [UInt8]?

  /// A window of an origin.
  struct LaterBalance: Hashable {
    var key: BalanceKey
    var origin: Int64
  }

  /// The questions that a reading answers.
  struct Plan {
    /// A batch in doubt.
    var wanted: Int64?
    /// How many keys are remembered at most, the newest.
    var keyBound: Int
  }

  /// Reads everything that is remembered; `eachBatch` gets the keys.
  static func read(
    _ store: LedgerStore, _ plan: Plan, eachBatch: (BatchKeys) -> Void
  ) throws(LedgerError) -> LedgerReading {
    var reading = LedgerReading()
    do {
      try reading.readFacts(store)
      try reading.readBatches(store, plan, eachBatch: eachBatch)
    } catch {
      if let error = error as? SQLiteError { throw error.ledgerError(path: store.path) }
      if let damage = error as? BatchReader.Damage {
        throw .damaged(path: store.path, finding: damage.finding)
      }
      throw .damaged(path: store.path, finding: "\(error)")
    }
    return reading
  }

  private mutating func readFacts(_ store: LedgerStore) throws {
    let meta = try store.connection.prepare("SELECT name, value, seal FROM meta")
    while try meta.step("read the facts") {
      let (name, value) = (meta.text(0), meta.text(1))
      guard RowSeal.meta(name, value) == meta.integer(2), self.meta.take(name, value) else {
        throw BatchReader.Damage(finding: "the fact \(name) has changed")
      }
    }
    let origins = try store.connection.prepare("SELECT id, name, seal FROM origin")
    while try origins.step("read the origins") {
      let (id, name) = (origins.integer(0), origins.text(1))
      guard RowSeal.origin(id, name) == origins.integer(2) else {
        throw BatchReader.Damage(finding: "origin \(id) has changed")
      }
      self.origins[id] = name
    }
    self.budgets.reserveCapacity(
      Int(try LedgerStore.integer("SELECT count(*) FROM budget", store.connection)))
    let budgets = try store.connection.prepare(
      "SELECT id, scope, name, window_text, seal FROM budget")
    while try budgets.step("read the budgets") {
      let id = budgets.integer(0)
      let budget = StoredBudget(
        scope: budgets.integer(1), name: budgets.text(2), windowText: budgets.text(3))
      guard budget.seal(id: id) == budgets.integer(4), let key = budget.key else {
        throw BatchReader.Damage(finding: "budget \(id) has changed")
      }
      self.budgets[id] = key
    }
    let folds = try store.connection.prepare("SELECT block, through, seal FROM fold")
    while try folds.step("read the folds") {
      let (block, through) = (folds.integer(0), folds.integer(1))
      guard RowSeal.fold(block, through) == folds.integer(2) else {
        throw BatchReader.Damage(finding: "the fold of block \(block) has changed")
      }
      // A later fold of all blocks leaves the rows of earlier ones.
      if through > self.meta.foldedThrough { self.folds[block] = through }
    }
  }

  /// From the newest batch on: where there are more keys than may be, the oldest need not be read.
  private mutating func readBatches(
    _ store: LedgerStore, _ plan: Plan, eachBatch: (BatchKeys) -> Void
  ) throws {
    let rows = try store.connection.prepare(
      "SELECT id, digest, payload FROM batch ORDER BY id DESC")
    var keys = BatchKeys()
    var before: Int64?
    while try rows.step("read the batches") {
      let (id, digest, payload) = (rows.integer(0), rows.blob(1), rows.blob(2))
      guard Array(SHA256Digest.bytes(of: payload).prefix(16)) == digest else {
        throw BatchReader.Damage(finding: "batch \(id) has changed")
      }
      let head = try BatchReader.head(of: payload, keys: &keys)
      guard head.id == id, origins[head.origin] != nil else {
        throw BatchReader.Damage(finding: "batch \(id) is not what its row says")
      }
      if let before, id != before - 1 {
        throw BatchReader.Damage(finding: "batch \(before - 1) is missing")
      }
      before = id
      lastBatch = lastBatch ?? id
      if id == plan.wanted { wantedDigest = digest }
      if id > meta.foldedThrough { try take(try BatchReader.contents(of: payload)) }
      if dropped == nil, keyCount + keys.count > plan.keyBound { dropped = (id, head.time) }
      if dropped == nil {
        keyCount += keys.count
        firstBatch = id
        eachBatch(keys)
      } else if id <= meta.foldedThrough {
        break
      }
    }
    if let before, let lastBatch {
      guard lastBatch >= meta.foldedThrough, before <= meta.foldedThrough + 1 else {
        throw BatchReader.Damage(finding: "batches are missing")
      }
    }
    if let last = folds.values.max(), last > lastBatch ?? 0 {
      throw BatchReader.Damage(finding: "batches that were folded are missing")
    }
  }

  /// The sums kept back at `now` by reservations of earlier lives.
  static func held(
    _ store: LedgerStore, budgets: [Int64: BudgetKey], at now: Timestamp
  ) throws(LedgerError) -> [HeldBudget] {
    do throws(SQLiteError) {
      return try store.held.sums(endingAfter: now.unixMilliseconds / 1_000, budgets)
    } catch {
      throw error.ledgerError(path: store.path)
    }
  }

  /// Whether the window's balances hold the batch already.
  private func isFolded(_ batch: Int64, of budget: Int64) -> Bool {
    folds[FoldQueue.block(of: budget)].map { batch <= $0 } ?? false
  }

  private mutating func take(_ contents: BatchContents) throws {
    for window in contents.windows where !isFolded(contents.id, of: window.budget) {
      guard budgets[window.budget] != nil else {
        throw BatchReader.Damage(finding: "a charge to a budget that is not there")
      }
    }
    for record in contents.records {
      for position in record.windows {
        let window = contents.windows[position]
        if isFolded(contents.id, of: window.budget) { continue }
        let later = LaterBalance(
          key: BalanceKey(budget: window.budget, start: window.start), origin: contents.origin)
        // Later batches have been taken in before: the end that they tell is the last word.
        let known = unfolded[later]
        unfolded[later] = (known?.end ?? window.end, (known?.amount ?? .zero) + record.amount)
      }
    }
  }

  /// The windows of a ledger, each over all origins.
  struct Image {
    /// The newest of each budget.
    var newest: [SpentWindow] = []
    /// Those that are open, by budget and start: of one budget there may be several.
    var open: [SpentWindow] = []

    fileprivate mutating func close(_ window: SpentWindow?, at now: Timestamp) {
      if let window, window.window.end >= now { open.append(window) }
    }
  }

  /// Every row there is gets checked, older ones too: one that names another window or budget than it
  /// did would be missed where it was.
  static func image(
    _ store: LedgerStore, budgets: [Int64: BudgetKey], at now: Timestamp
  ) throws(LedgerError) -> Image {
    var image = Image()
    do throws(SQLiteError) {
      let rows = try store.connection.prepare(
        """
        SELECT budget, start_ms, end_ms, origin, dollars, pico, seal FROM window_spend
        ORDER BY budget, start_ms, origin
        """)
      var last: BalanceKey?
      while try rows.step("read the balances") {
        let key = BalanceKey(budget: rows.integer(0), start: rows.integer(1))
        let (end, dollars, pico) = (rows.integer(2), rows.integer(4), rows.integer(5))
        let seal = RowSeal.balance(
          key, end: end, origin: rows.integer(3), dollars: dollars, pico: pico)
        guard seal == rows.integer(6), let budget = budgets[key.budget] else {
          throw SQLiteError.damagedBalance
        }
        let amount = PicoUSD(wholeDollars: dollars, restPico: pico)
        let place = image.newest.count - 1
        if last == key {
          image.newest[place].spend += amount
          let known = image.newest[place].window.end
          // A window that was closed early has one row with an earlier end.
          image.newest[place].window.end = min(known, Timestamp(unixMilliseconds: end))
        } else {
          image.close(image.newest.last, at: now)
          if last?.budget == key.budget { image.newest.removeLast() }
          image.newest.append(
            SpentWindow(
              window: BudgetWindow(
                key: budget, start: Timestamp(unixMilliseconds: key.start),
                end: Timestamp(unixMilliseconds: end)),
              spend: amount))
        }
        last = key
      }
    } catch {
      throw error.ledgerError(path: store.path)
    }
    image.close(image.newest.last, at: now)
    return image
  }
}
