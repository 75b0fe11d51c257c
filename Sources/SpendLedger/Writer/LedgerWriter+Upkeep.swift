import BudgetModel

extension LedgerWriter {
  private static let second: Int64 = 1_000_000_000
  /// How often the time is stored while nothing comes.
  private static let idleMarkInterval: Int64 = 60 * second
  private static let bytesPerFrame = 4_096 + 24

  private var hasUnfolded: Bool {
    foldedThrough != lastBatch || !balances.dirty.isEmpty || !unwrittenBudgets.isEmpty
  }

  private var isRefusing: Bool {
    if case .refusing = shared.withStatus({ $0.state }) { true } else { false }
  }

  /// How long the thread may sleep, in nanoseconds.
  func nextWait() -> Int64 {
    guard client != nil, !hasFailed, let store else { return 3_600 * Self.second }
    let now = SystemCalls.monotonicNanoseconds()
    var wake = min(lastMark + Self.idleMarkInterval, lastFileCheck + Self.fileCheckInterval)
    if isRefusing || !postponed.isEmpty { wake = min(wake, now + Self.second) }
    if hasUnfolded {
      wake = min(
        wake, lastFold + max(settings.foldInterval.nanoseconds, 10 * lastFoldDuration))
    }
    if store.connection.logFrames > 0 { wake = min(wake, lastCommit + Self.second) }
    if isForgettingDue { wake = min(wake, lastUpkeep + settings.foldInterval.nanoseconds) }
    return max(wake - now, 0)
  }

  /// Folds, forgets, prunes and checkpoints what is due.
  func keepUp(isIdle: Bool, isLast: Bool = false) {
    guard let client, loss == nil else { return }
    let began = SystemCalls.monotonicNanoseconds()
    let now = client.now()
    noteTime(now, passed: began)
    releaseKeysAhead(at: now)
    let folds = isIdle && (isFoldDue(at: began) || isLast) && hasUnfolded
    let marks =
      isLast || began - lastMark >= Self.idleMarkInterval
      || isIdle && isRefusing && began - lastCommit >= Self.second
    if folds || marks { write(folds: folds, marks: marks, at: now) }
    guard reopening == nil else { return }
    if began - lastUpkeep >= settings.foldInterval.nanoseconds || isLast {
      lastUpkeep = began
      forget(at: now)
    }
    guard reopening == nil else { return }
    if began - lastPruning >= Self.pruningInterval {
      lastPruning = began
      prune(at: now)
    }
    guard reopening == nil else { return }
    checkpointIfDue(isIdle: isIdle, isLast: isLast)
  }

  /// A transaction without a batch. It carries the fold whenever it carries new budgets.
  @discardableResult
  func write(
    folds: Bool, marks: Bool, at now: Timestamp,
    also body: (LedgerStore) throws(SQLiteError) -> Void = { _ in }
  ) -> Bool {
    attempt(folds: folds, marks: marks, at: now, also: body) == nil
  }

  /// As `write`; tells what kept it from being done, nil where it is on disk.
  func attempt(
    folds: Bool, marks: Bool, at now: Timestamp,
    also body: (LedgerStore) throws(SQLiteError) -> Void
  ) -> SQLiteError? {
    guard let store else { return .closed }
    if let error = lossBeforeWriting() { return error }
    let frames = logFrames
    let result = store.transact { () throws(SQLiteError) in
      try writeBudgets(store)
      if folds { try writeBalances(store, through: lastBatch) }
      if marks { try writeMark(store, at: now) }
      try body(store)
    }
    switch result {
    case .committed:
      if let error = cutAfterCommit(logFrames: frames) { return error }
      written(folds: folds, marks: marks)
      return nil
    case .refused(.totalTooLarge): return .totalTooLarge
    case .refused(let error):
      // Not before a second has passed again: a full disk is not asked in a tight loop.
      lastFold = SystemCalls.monotonicNanoseconds() + Self.second
      lastCommit = SystemCalls.monotonicNanoseconds()
      refused(error)
      return error
    case .doubtful(let error):
      reopen(after: error, doubt: nil)
      return error
    }
  }

  /// Before anything is forgotten: fleet time may have jumped.
  func noteTime(_ now: Timestamp, passed nanoseconds: Int64) {
    let before = jumps.milliseconds
    jumps.note(
      fleetMilliseconds: now.unixMilliseconds, passedMilliseconds: nanoseconds / 1_000_000)
    let jumped = jumps.milliseconds
    if jumped != before { shared.withStatus { $0.horizon.jumped = jumped } }
  }

  /// Deletes windows that ended long ago, and lets go of those that are over.
  private func prune(at now: Timestamp) {
    let ended = now.unixMilliseconds - settings.windowRetention.milliseconds
    let isDone = write(folds: true, marks: false, at: now) { store throws(SQLiteError) in
      try store.statements.pruneBalances(endedBefore: ended)
      try store.fleet.prune(endedBefore: now.unixMilliseconds - FleetWindow.keptAfterEnd)
    }
    guard isDone else { return }
    balances.dropEnded(before: now.unixMilliseconds)
    labels.removeAll(keepingCapacity: true)
  }

  private func checkpointIfDue(isIdle: Bool, isLast: Bool) {
    guard let store, store.connection.logFrames > 0 else { return }
    let instant = SystemCalls.monotonicNanoseconds()
    let bytes = store.connection.logFrames * Self.bytesPerFrame
    let isDue =
      isLast || bytes > settings.checkpointBytes
      || isIdle && instant - lastCommit >= Self.second
    // From a log that was cut zeros would go to the database.
    guard isDue, lossBeforeWriting() == nil else { return }
    defer { files.noteDatabase() }
    do throws(SQLiteError) {
      try store.checkpoint(cuts: isLast || bytes > settings.truncateBytes)
      shared.withStatus { $0.counters.checkpoints += 1 }
    } catch {
      // Nothing is lost: the frames stay in the WAL until a checkpoint has synced them.
      lastCommit = instant
      if error.isFull {
        upkeepFailed("checkpoint", error.text)
      } else {
        reopen(after: error, doubt: nil)
      }
    }
  }

  /// Reported once a minute at most.
  func upkeepFailed(_ what: String, _ reason: String) {
    shared.withStatus { $0.counters.upkeepFailures += 1 }
    let instant = SystemCalls.monotonicNanoseconds()
    guard instant - lastUpkeepReport >= 60 * Self.second else { return }
    lastUpkeepReport = instant
    client?.report(.upkeepFailed(what: what, reason: reason))
  }
}
