import BudgetModel

extension LedgerWriter {
  func perform(_ command: LedgerCommand) {
    // Nobody waits for these, and they would never be done.
    if hasFailed, command.isNote { return }
    switch command {
    case .start(let client):
      self.client = client
      noteTime(client.now(), passed: SystemCalls.monotonicNanoseconds())
    case .backup(let draft, let reply): reply.fulfil(copy(to: draft))
    case .settle(let reply): reply.fulfil(settle())
    case .changes(let reply): reply.fulfil(changes())
    case .adopt(let adoptions, let reply): reply.fulfil(adopt(adoptions))
    case .remember(let windows, let reply): reply.fulfil(remember(windows))
    case .opened(let windows): note(windows, command)
    case .closed(let key, let time): end(key, at: time, command)
    case .rename(let old, let new): rename(from: old, to: new, command)
    }
  }

  /// Everything that is in memory goes to the tables now.
  private func settle() -> Bool {
    guard let client, store != nil else { return false }
    return write(folds: true, marks: true, at: client.now())
  }

  private func note(_ windows: [BudgetWindow], _ command: LedgerCommand) {
    do throws(SQLiteError) {
      for window in windows {
        balances.keep(try balancePlace(window, budget: budgetID(of: window.key)))
      }
    } catch {
      postponed.append(command)
      refused(error)
    }
  }

  private func end(_ key: BudgetKey, at time: Timestamp, _ command: LedgerCommand) {
    guard let store, let budget = budgetIDs[key] else { return }
    let now = time.unixMilliseconds
    do throws(SQLiteError) {
      for (place, entry) in balances.entries.enumerated()
      where entry.key.budget == budget && entry.end > now {
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
      // What is known of the fleet's would have a start find them open all the same. What the store
      // has confirmed stays known: the next start must not take it for late.
      let open = try store.fleet.rows().filter { $0.budget == budget && $0.end >= now }
      guard !open.isEmpty else { return }
      let isDone = write(folds: true, marks: false, at: time) { store throws(SQLiteError) in
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

  /// A budget goes by another key from now on. Batches name budgets by number, so the balances are
  /// brought up to the last batch in the same transaction.
  private func rename(from old: BudgetKey, to new: BudgetKey, _ command: LedgerCommand) {
    guard store != nil, old != new, let id = budgetIDs[old], let client else { return }
    let isUnwritten = unwrittenBudgets.contains { $0.id == id }
    let other = budgetIDs[new]
    let isDone = write(folds: true, marks: false, at: client.now()) { store throws(SQLiteError) in
      // The store knows the budget by its old name: what it said of that says nothing of the new.
      try store.fleet.deleteAll(ofBudget: id)
      if let other {
        try join(id, into: other, store)
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
    budgetIDs[old] = nil
    budgetIDs[new] = other ?? id
    labels.removeAll(keepingCapacity: true)
    if other != nil {
      // Places of both are void: what a window holds is read from the table when it is charged.
      balances = Balances(isCollecting: balances.isCollecting)
      if !isUnwritten { client.report(.renameJoined(from: old, to: new)) }
    }
  }

  /// Moves the balances of one budget to another; where both have a window, they are added.
  private func join(_ id: Int64, into other: Int64, _ store: LedgerStore) throws(SQLiteError) {
    for row in try store.balances(ofBudget: id) {
      let key = BalanceKey(budget: other, start: row.key.start)
      let there = try store.statements.balance(key, origin: row.origin)
      let sum = row.amount + (there?.amount ?? .zero)
      try store.statements.setBalance(
        BalanceRow(
          key: key, end: min(row.end, there?.end ?? row.end), origin: row.origin,
          amount: min(sum, PicoUSD.maximumTotal)))
      try store.statements.deleteBalance(row.key, origin: row.origin)
    }
    try store.statements.deleteBudget(id: id)
  }

  /// Copies the database through the one connection; nothing is committed meanwhile. Nil: the copy
  /// is written, though perhaps not yet on disk.
  private func copy(to draft: BackupDraft) -> LedgerError? {
    guard let store, !shared.stop.isSet else { return .closed }
    do throws(SQLiteError) {
      if hasFailed { try store.check() }
      let bytes = try store.copyBytes()
      guard bytes <= draft.room else {
        return .backup(
          "a copy has about \(bytes) bytes, and the disk would be left with less than "
            + "--backup-reserve-bytes, \(settings.backups.reserveBytes): make room, or give another "
            + "--backup-dir")
      }
      try store.copy(to: draft.path, stoppingOn: shared.stop)
      return nil
    } catch {
      if hasFailed { return .backup("\(error.text). Restore a backup that was made before") }
      return shared.stop.isSet ? .closed : .backup(error.text)
    }
  }
}
