import BudgetModel
import Locks

extension LedgerWriter {
  func perform(_ command: LedgerCommand) {
    // Nobody waits for these, and they would never be done.
    if hasFailed, command.isNote { return }
    switch command {
    case .start(let client):
      self.client = client
      noteTime(client.now(), passed: SystemCalls.monotonicNanoseconds())
    case .backup(let draft, let reply): beginCopying(to: draft, reply)
    case .settle(let reply): reply.fulfil(settle())
    case .answer(let done): done()
    case .changes(let reply): reply.fulfil(changes())
    case .adopt(let adoptions, let reply): reply.fulfil(adopt(adoptions))
    case .remember(let windows, let reply): reply.fulfil(remember(windows))
    case .history(let questions, let reply): reply.fulfil(history(questions))
    case .keep(let notes, let reply): reply.fulfil(keep(notes))
    case .audit(let question, let reply):
      reply.fulfil(store.map { question.answer(from: $0) } ?? .failure(.closed))
    case .limits(let notes): note(notes, command)
    case .held(let budgets): held.note(budgets, at: schedule.lastTake)
    case .learned(let costs): held.note(costs, at: schedule.lastTake)
    case .opened(let windows): note(windows, command)
    case .closed(let key, let time): end(key, at: time, command)
    case .rename(let old, let new): rename(from: old, to: new, command)
    }
  }

  /// Everything that is in memory goes to the tables now.
  private func settle() -> Bool {
    guard let client, store != nil else { return false }
    return write(folding: .all, marks: true, at: client.now())
  }

  private func note(_ windows: [BudgetWindow], _ command: LedgerCommand) {
    do throws(SQLiteError) {
      for window in windows {
        balances.keep(try balancePlace(window, budget: budgets.number(of: window.key)))
      }
    } catch {
      postponed.append(command)
      refused(error)
    }
  }

  private func end(_ key: BudgetKey, at time: Timestamp, _ command: LedgerCommand) {
    guard let store, let budget = budgets[key] else { return }
    let now = time.unixMilliseconds
    do throws(SQLiteError) {
      for place in balances.places(ofBudget: budget) where balances.entries[place].end > now {
        balances.end(place, at: now)
      }
      // Earlier lives may have opened them; a row of this one says that they are over.
      let starts = WindowSearch.starts(of: key, endingFrom: now)
      for row in try store.fleet.balances(ofBudget: budget, openedIn: starts) {
        let window = BudgetWindow(
          key: key, start: Timestamp(unixMilliseconds: row.key.start), end: time)
        let place = try balancePlace(window, budget: budget)
        balances.end(place, at: min(now, balances.entries[place].end))
      }
      // The fleet's rows would have a start find them open all the same. Confirmed amounts stay
      // known: the next start must not take them for late.
      let open = try store.fleet.rows(ofBudget: budget).filter { $0.end >= now }
      guard !open.isEmpty else { return }
      let isDone = write(folding: .budgets([budget]), marks: false, at: time) {
        store throws(SQLiteError) in
        for var row in open {
          row.end = max(row.start, now - 1)
          try store.fleet.set(row)
        }
      }
      if !isDone, self.store != nil { postponed.append(command) }
    } catch {
      postponed.append(command)
      refused(error)
    }
  }

  /// A budget goes by another key from now on. Batches name budgets by number, so the balances of
  /// both are brought up to the last batch in the same transaction.
  private func rename(from old: BudgetKey, to new: BudgetKey, _ command: LedgerCommand) {
    guard store != nil, old != new, let id = budgets[old], let client else { return }
    let isUnwritten = budgets.isUnwritten(id)
    let other = budgets[new]
    let affected = [id] + (other.map { [$0] } ?? [])
    // A window that ended long ago stays true of the budget, unless its number goes.
    let cutoff = other == nil ? client.now().unixMilliseconds - FleetWindow.mattersAfterEnd : .min
    let isDone = write(folding: .budgets(affected), marks: false, at: client.now()) {
      store throws(SQLiteError) in
      // The store knows the budget by its old name: what it said of that says nothing of the new.
      try store.fleet.deleteAll(ofBudget: id, endingFrom: cutoff)
      try store.limits.rename(from: old, to: new)
      if let other {
        try store.join(id, into: other)
      } else {
        try store.statements.renameBudget(id: id, StoredBudget(new))
      }
    }
    guard isDone else {
      // After a failed commit the file was read again: the rename is there, or is done now.
      if store != nil { postponed.append(command) }
      return
    }
    tellsEverything = true
    budgets.rename(old, to: new)
    if other != nil {
      // The windows of either are read from the table when they are charged.
      balances.drop(affected.flatMap { balances.places(ofBudget: $0) })
      if !isUnwritten { client.report(.renameJoined(from: old, to: new)) }
    }
  }

  // MARK: - Copies

  /// Begins a copy through the one connection; it goes on between commits.
  private func beginCopying(to draft: BackupDraft, _ reply: Promise<LedgerError?>) {
    guard let store, !shared.stop.isSet else { return reply.fulfil(.closed) }
    do throws(SQLiteError) {
      if hasFailed { try store.check() }
      let bytes = try store.copyBytes()
      guard bytes <= draft.room else {
        return reply.fulfil(
          .backup(
            "a copy has about \(bytes) bytes, and the disk would be left with less than "
              + "--backup-reserve-bytes, \(settings.backups.reserveBytes): make room, or give another "
              + "--backup-dir"))
      }
      copying = try BackupCopy(draft, of: store, reply: reply)
    } catch {
      let advice = hasFailed ? ". Restore a backup that was made before" : ""
      reply.fulfil(.backup(error.text + advice))
    }
  }

  /// A slice of the copy that is being made. SQLite begins a copy anew when a transaction is rolled
  /// back: while none succeeds, all that is left is copied at once, and holds nobody up.
  func goOnCopying() {
    let duration = isRefusing || hasFailed ? .max : settings.sliceDuration.nanoseconds
    guard let store,
      let progress = copying?.goOn(duration, store, stoppingOn: shared.stop)
    else { return }
    shared.withStatus { $0.counters.backupSlices += 1 }
    if case .ended(let error) = progress { endCopying(error) }
  }

  /// The copy is whole, or is given up: always before the connection is closed.
  func endCopying(_ error: LedgerError?) {
    let reply = copying?.reply
    copying = nil
    reply?.fulfil(error)
  }
}
