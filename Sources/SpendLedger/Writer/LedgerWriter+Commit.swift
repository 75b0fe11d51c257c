import BudgetModel

extension LedgerWriter {
  /// Commits the batch in `row`, and with it what else is due.
  func commit(id: Int64, digest: [UInt8], at now: Timestamp) -> CommitResult {
    guard let store else { return .refused(.closed) }
    let began = SystemCalls.monotonicNanoseconds()
    // Records without a key count too: this only has to be enough.
    let added = plan.leaders.count
    let mustFold = log.mustFold(adding: added)
    let slice = mustFold ? balances.queue.all(through: id) : dueSlice(through: id, at: began)
    noteTime(now, passed: began)
    let chosen = chooseForgotten(
      adding: added, foldedThrough: slice?.foldedThrough ?? log.foldedThrough, at: now)
    if !chosen.isEmpty { log.forgetting = chosen }
    let marks = schedule.isMarkDue(at: began)
    let frames = logFrames
    let result = store.transact { () throws(SQLiteError) in
      try writeBudgets(store)
      try store.statements.insertBatch(id: id, digest: digest, row.text)
      if let slice { try writeBalances(store, slice, through: id) }
      if marks { try writeMark(store, at: now) }
      try chosen.write(to: store)
    }
    if case .refused = result { log.forgetting = nil }
    guard case .committed = result else { return result }
    if let error = lossAfterCommit(logFrames: frames) { return .doubtful(error) }
    log.committed(id)
    written(slice, marks: marks)
    log.forgetting = nil
    forgot(chosen, at: now)
    let took = UInt64(SystemCalls.monotonicNanoseconds() - began)
    shared.withStatus { $0.counters.count(commitOf: added, took: took) }
    return result
  }

  /// The blocks that are to be folded by now; nil: none.
  func dueSlice(through batch: Int64, at instant: Int64) -> FoldQueue.Slice? {
    let since = balances.queue.waitingSince
    guard schedule.isFoldDue(waitingSince: since, at: instant) else { return nil }
    let slice = balances.queue.slice(
      rows: settings.foldedRows, waitingSince: schedule.foldsBlocks(at: instant),
      through: batch)
    let isIdle = slice.isEmpty && slice.foldedThrough == log.foldedThrough
    return isIdle && budgets.unwritten.isEmpty ? nil : slice
  }

  func writeBudgets(_ store: LedgerStore) throws(SQLiteError) {
    held.begin(&budgets)
    for (id, key) in budgets.unwritten {
      try store.statements.insertBudget(id: id, StoredBudget(key))
    }
    try held.write(to: store)
  }

  /// Folds a slice: its blocks hold all batches up to `batch` then.
  func writeBalances(
    _ store: LedgerStore, _ slice: FoldQueue.Slice, through batch: Int64
  ) throws(SQLiteError) {
    precondition(slice.foldedThrough >= log.foldedThrough, "no batch is folded twice")
    let began = SystemCalls.monotonicNanoseconds()
    for block in slice.blocks {
      for place in balances.queue.dirty(in: block) {
        let entry = balances.entries[Int(place)]
        try store.statements.setBalance(
          BalanceRow(key: entry.key, end: entry.end, origin: originID, amount: entry.amount))
      }
      if !slice.isAll {
        try store.statements.setFold(block: balances.queue.number(of: block), through: batch)
      }
    }
    try store.statements.setMeta(LedgerMeta.Name.foldedThrough, "\(slice.foldedThrough)")
    let ended = SystemCalls.monotonicNanoseconds()
    schedule.folded(took: ended - began, at: ended)
  }

  func writeMark(_ store: LedgerStore, at now: Timestamp) throws(SQLiteError) {
    let reading = settings.readClock()
    let mark = ClockMark(
      time: now, boottimeMilliseconds: reading.boottimeMilliseconds, bootID: reading.bootID)
    try store.statements.setMeta(LedgerMeta.Name.clock, LedgerMeta.text(mark))
  }

  /// All that a committed transaction carried is on disk.
  func written(_ slice: FoldQueue.Slice?, marks: Bool) {
    schedule.committed(marks: marks, at: SystemCalls.monotonicNanoseconds())
    budgets.written()
    held.written()
    balances.begin(batch: log.last + 1, at: schedule.lastTake)
    if let slice {
      balances.folded(slice)
      log.folded(through: slice.foldedThrough)
      shared.withStatus { $0.counters.folds += 1 }
    }
    if loss == nil { setState(.ready) }
  }

  /// Settles or releases the batch's keys and tells the client; only ever after the COMMIT.
  func conclude(
    _ result: CommitResult, row: (id: Int64, digest: [UInt8])?, _ records: [QueuedRecord],
    _ slots: [Int32], at now: Timestamp
  ) {
    switch result {
    case .committed:
      if let row { noteKeysAhead(records, batch: row.id, at: now) }
      log.added(keys: plan.settleKeys(records, in: shared.keys))
      countOutcomes()
      tell(records, slots, at: now)
    case .refused(let error):
      shared.withStatus { $0.counters.commitsRefused += 1 }
      if row != nil { undoCharges() }
      for key in plan.leaderKeys(records) { shared.keys.remove(key) }
      plan.conclude(.notRecorded(error.refusal))
      countOutcomes()
      // The state first: who is told that a record was refused may ask why.
      refused(error)
      tell(records, slots, at: now)
    case .doubtful(let error):
      shared.withStatus { $0.counters.commitsUnknown += 1 }
      plan.conclude(.unknown)
      countOutcomes()
      // The file is not read again for a while, if ever: nothing in doubt is told of meanwhile.
      if loss != nil, row != nil { undoCharges() }
      let keys = plan.leaderKeys(records)
      if let row { noteKeysAhead(records, batch: row.id, at: now) }
      let batch = tell(records, slots, at: now)
      let doubt = row.map {
        Doubt(
          id: $0.id, digest: $0.digest, batch: batch, followers: plan.followers, keys: keys)
      }
      reopen(after: error, doubt: doubt)
    }
  }

  private func countOutcomes() {
    let outcomes = plan.outcomes
    shared.withStatus { $0.counters.count(outcomes) }
  }

  @discardableResult
  func tell(_ records: [QueuedRecord], _ slots: [Int32], at now: Timestamp) -> LedgerBatch {
    let batch = LedgerBatch(
      now: now, records: records, slots: slots, places: plan.places, outcomes: plan.outcomes)
    if batch.count > 0 { client?.finished(batch) }
    return batch
  }
}

/// A batch whose commit failed, and which the file is to tell about.
struct Doubt {
  var id: Int64
  var digest: [UInt8]
  var batch: LedgerBatch
  /// Indices into the batch of retries of its own records.
  var followers: [Int]
  /// The keys that were to be recorded.
  var keys: [UInt128]
}
