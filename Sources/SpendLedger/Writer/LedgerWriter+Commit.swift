import BudgetModel

extension LedgerWriter {
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

  /// Commits the batch in `row`, and with it what else is due.
  func commit(id: Int64, digest: [UInt8], at now: Timestamp) -> CommitResult {
    guard let store else { return .refused(.closed) }
    let began = SystemCalls.monotonicNanoseconds()
    // Records without a key count too: this only has to be enough.
    let added = plan.leaders.count
    let folds = isFoldDue(at: began) || mustFoldToForget(adding: added)
    noteTime(now, passed: began)
    let chosen = chooseForgotten(adding: added, folds: folds, at: now)
    if !chosen.isEmpty { forgetting = chosen }
    let marks = began - lastMark >= settings.clockInterval.nanoseconds
    let frames = logFrames
    let result = store.transact { () throws(SQLiteError) in
      try writeBudgets(store)
      try store.statements.insertBatch(id: id, digest: digest, row.text)
      if folds { try writeBalances(store, through: id) }
      if marks { try writeMark(store, at: now) }
      try chosen.write(to: store)
    }
    if case .refused = result { forgetting = nil }
    guard case .committed = result else { return result }
    if let error = lossAfterCommit(logFrames: frames) { return .doubtful(error) }
    lastBatch = id
    written(folds: folds, marks: marks)
    forgetting = nil
    forgot(chosen, at: now)
    let took = UInt64(SystemCalls.monotonicNanoseconds() - began)
    let records = Int64(plan.leaders.count)
    shared.withStatus { status in
      status.counters.commits += 1
      status.counters.batchRecords.add(records)
      status.counters.commitTimes.add(Int64(took))
      status.counters.commitNanoseconds += took
      status.counters.longestCommitNanoseconds = max(
        status.counters.longestCommitNanoseconds, took)
    }
    return result
  }

  func isFoldDue(at instant: Int64) -> Bool {
    // Folding takes a tenth of the time at most: with very many budgets it happens less often, and
    // a start replays a little more.
    instant - lastFold >= max(settings.foldInterval.nanoseconds, 10 * lastFoldDuration)
  }

  func writeBudgets(_ store: LedgerStore) throws(SQLiteError) {
    for (id, key) in unwrittenBudgets {
      try store.statements.insertBudget(id: id, StoredBudget(key))
    }
  }

  func writeBalances(_ store: LedgerStore, through batch: Int64) throws(SQLiteError) {
    let began = SystemCalls.monotonicNanoseconds()
    for place in balances.dirty {
      let entry = balances.entries[place]
      try store.statements.setBalance(
        BalanceRow(key: entry.key, end: entry.end, origin: originID, amount: entry.amount))
    }
    try store.statements.setMeta(LedgerMeta.Name.foldedThrough, "\(batch)")
    lastFoldDuration = SystemCalls.monotonicNanoseconds() - began
  }

  func writeMark(_ store: LedgerStore, at now: Timestamp) throws(SQLiteError) {
    let reading = settings.readClock()
    let mark = ClockMark(
      time: now, boottimeMilliseconds: reading.boottimeMilliseconds, bootID: reading.bootID)
    try store.statements.setMeta(LedgerMeta.Name.clock, LedgerMeta.text(mark))
  }

  /// What a committed transaction carried is on disk.
  func written(folds: Bool, marks: Bool) {
    lastCommit = SystemCalls.monotonicNanoseconds()
    unwrittenBudgets.removeAll()
    if marks { lastMark = lastCommit }
    if folds {
      balances.folded()
      foldedThrough = lastBatch
      lastFold = lastCommit
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
      keyCount += plan.settleKeys(records, in: shared.keys)
      countOutcomes()
      tell(records, slots, at: now)
    case .refused(let error):
      shared.withStatus { $0.counters.commitsRefused += 1 }
      if row != nil { undoCharges(records, slots) }
      for key in leaderKeys(records) { shared.keys.remove(key) }
      setOutcomes(.notRecorded(error.refusal))
      countOutcomes()
      // The state first: who is told that a record was refused may ask why.
      refused(error)
      tell(records, slots, at: now)
    case .doubtful(let error):
      shared.withStatus { $0.counters.commitsUnknown += 1 }
      setOutcomes(.unknown)
      countOutcomes()
      // The file is not read again for a while, if ever: nothing in doubt is told of meanwhile.
      if loss != nil, row != nil { undoCharges(records, slots) }
      let keys = leaderKeys(records)
      if let row { noteKeysAhead(records, batch: row.id, at: now) }
      let batch = tell(records, slots, at: now)
      let doubt = row.map {
        Doubt(
          id: $0.id, digest: $0.digest, batch: batch, followers: plan.followers, keys: keys)
      }
      reopen(after: error, doubt: doubt)
    }
  }

  private func leaderKeys(_ records: [QueuedRecord]) -> [UInt128] {
    plan.leaders.compactMap { index in
      let record = records[Int(plan.places[index])]
      return record.hasKey ? record.digest : nil
    }
  }

  private func setOutcomes(_ outcome: LedgerOutcome) {
    for index in plan.leaders { plan.outcomes[index] = outcome }
    for index in plan.followers { plan.outcomes[index] = outcome }
  }

  private func countOutcomes() {
    let outcomes = plan.outcomes
    shared.withStatus { status in
      for outcome in outcomes {
        switch outcome {
        case .recorded: status.counters.recorded += 1
        case .duplicate: status.counters.duplicates += 1
        case .mismatch: status.counters.mismatches += 1
        case .tooOld: status.counters.refusedForTime += 1
        case .notRecorded: status.counters.notRecorded += 1
        case .unknown: status.counters.unknown += 1
        }
      }
    }
  }

  @discardableResult
  func tell(_ records: [QueuedRecord], _ slots: [Int32], at now: Timestamp) -> LedgerBatch {
    let batch = LedgerBatch(
      now: now, records: records, slots: slots, places: plan.places, outcomes: plan.outcomes)
    if batch.count > 0 { client?.finished(batch) }
    return batch
  }
}
