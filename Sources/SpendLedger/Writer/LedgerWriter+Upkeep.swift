import BudgetModel

extension LedgerWriter {
  var isRefusing: Bool {
    if case .refusing = shared.withStatus({ $0.state }) { true } else { false }
  }

  private var hasUnwritten: Bool { log.foldedThrough != log.last || !budgets.unwritten.isEmpty }

  /// How long the thread may sleep, in nanoseconds.
  func nextWait() -> Int64 {
    if hasFailed, copying != nil { return 0 }
    guard client != nil, !hasFailed else { return 3_600 * WriterSchedule.second }
    let standing = WriterSchedule.Standing(
      isRefusing: isRefusing, hasPostponed: !postponed.isEmpty,
      unfoldedSince: balances.queue.waitingSince, heldSince: loss == nil ? held.since : nil,
      hasUnwritten: hasUnwritten,
      logFrames: logFrames, isForgettingDue: log.isForgettingDue, isCopying: copying != nil)
    return schedule.wait(standing, at: SystemCalls.monotonicNanoseconds())
  }

  /// Folds, forgets, prunes and checkpoints what is due.
  func keepUp(isIdle: Bool, isLast: Bool = false) {
    guard let client, loss == nil else { return }
    let began = SystemCalls.monotonicNanoseconds()
    let now = client.now()
    noteTime(now, passed: began)
    releaseKeysAhead(at: now)
    let folding: Folding =
      isLast && (hasUnwritten || !balances.queue.isEmpty)
      ? .all : isIdle && dueSlice(through: log.last, at: began) != nil ? .due : .nothing
    let marks = isLast || schedule.isIdleMarkDue(isRefusing: isIdle && isRefusing, at: began)
    let holds = schedule.areHoldsDue(held.since, isLast: isLast, at: began)
    if folding != .nothing || marks || holds { write(folding: folding, marks: marks, at: now) }
    guard reopening == nil else { return }
    if schedule.takesUpkeep(isLast: isLast, at: began) { forget(at: now) }
    guard reopening == nil else { return }
    if !isLast, schedule.isPruningDue(at: began) { prune(at: now) }
    guard reopening == nil else { return }
    checkpointIfDue(isIdle: isIdle, isLast: isLast)
  }

  private func slice(_ folding: Folding) -> FoldQueue.Slice? {
    switch folding {
    case .nothing: nil
    case .due: dueSlice(through: log.last, at: SystemCalls.monotonicNanoseconds())
    case .all: balances.queue.all(through: log.last)
    case .budgets(let budgets): balances.queue.slice(of: budgets, through: log.last)
    }
  }

  /// A transaction without a batch.
  @discardableResult
  func write(
    folding: Folding = .nothing, marks: Bool, at now: Timestamp,
    also body: (LedgerStore) throws(SQLiteError) -> Void = { _ in }
  ) -> Bool {
    attempt(folding: folding, marks: marks, at: now, also: body) == nil
  }

  /// As `write`; tells what kept it from being done, nil where it is on disk.
  func attempt(
    folding: Folding = .nothing, marks: Bool, at now: Timestamp,
    also body: (LedgerStore) throws(SQLiteError) -> Void
  ) -> SQLiteError? {
    guard let store else { return .closed }
    if let error = lossBeforeWriting() { return error }
    let frames = logFrames
    let slice = slice(folding)
    let result = store.transact { () throws(SQLiteError) in
      try writeBudgets(store)
      if let slice { try writeBalances(store, slice, through: log.last) }
      if marks { try writeMark(store, at: now) }
      try body(store)
    }
    switch result {
    case .committed:
      if let error = cutAfterCommit(logFrames: frames) { return error }
      written(slice, marks: marks)
      return nil
    case .refused(.totalTooLarge): return .totalTooLarge
    case .refused(let error):
      schedule.refused(at: SystemCalls.monotonicNanoseconds())
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

  private func checkpointIfDue(isIdle: Bool, isLast: Bool) {
    let instant = SystemCalls.monotonicNanoseconds()
    guard let store,
      let due = schedule.checkpoint(
        logFrames: logFrames, isIdle: isIdle, isLast: isLast, at: instant)
    else { return }
    // From a log that was cut zeros would go to the database.
    guard lossBeforeWriting() == nil else { return }
    defer { files.noteDatabase() }
    do throws(SQLiteError) {
      try store.checkpoint(cuts: due == .cutsFile)
      shared.withStatus { $0.counters.checkpoints += 1 }
    } catch {
      // Nothing is lost: the frames stay in the WAL until a checkpoint has synced them.
      schedule.checkpointFailed(at: instant)
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
    guard schedule.reportsUpkeep(at: SystemCalls.monotonicNanoseconds()) else { return }
    client?.report(.upkeepFailed(what: what, reason: reason))
  }
}

/// The blocks that a transaction folds.
enum Folding: Equatable {
  case nothing
  /// Those that have waited long enough.
  case due
  case all
  /// The blocks that these budgets are in.
  case budgets([Int64])
}
