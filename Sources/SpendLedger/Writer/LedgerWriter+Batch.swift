import BudgetModel

extension LedgerWriter {
  /// Decides, commits and tells one batch; the places of records that must wait for the next.
  func recordBatch(
    _ records: [QueuedRecord], _ slots: [Int32], _ range: Range<Int>
  ) -> [Int] {
    guard let client else { return [] }
    let now = client.now()
    plan.begin()
    guard store != nil, lossBeforeWriting() == nil else {
      refuseAll(records, slots, range, at: now)
      return []
    }
    let putBack = plan.decide(
      records, range, by: shared.keys, shared.withStatus { $0.horizon }, at: now)
    if plan.keysAhead > 0 { shared.count(keysAhead: plan.keysAhead) }
    for place in putBack {
      let record = records[place]
      shared.queue.putBack(
        record, slots: slots[record.slotRange])
    }
    do throws(SQLiteError) {
      try label(records, slots, at: now, client)
    } catch {
      conclude(.refused(error), row: nil, records, slots, at: now)
      return putBack
    }
    plan.refuseTooLarge(records, slots, shared.keys) { place, sum in
      balances.entries[place].amount <= settings.totalBound - sum
    }
    if plan.isNothingToStore(records) {
      conclude(.committed, row: nil, records, slots, at: now)
      return putBack
    }
    let id = log.last + 1
    chargeBalances(records, slots)
    let digest = row.write(
      BatchReader.Head(id: id, origin: originID, time: now), plan, records, slots)
    let result = commit(id: id, digest: digest, at: now)
    conclude(result, row: (id, digest), records, slots, at: now)
    return putBack
  }

  private func refuseAll(
    _ records: [QueuedRecord], _ slots: [Int32], _ range: Range<Int>, at now: Timestamp
  ) {
    let reason = hasFailed ? LedgerRefusal.failed : .filesGone
    for place in range {
      plan.places.append(Int32(place))
      plan.outcomes.append(.notRecorded(reason))
      if records[place].isClaimed { shared.keys.remove(records[place].digest) }
    }
    shared.withStatus { $0.counters.notRecorded += UInt64(range.count) }
    tell(records, slots, at: now)
  }

  /// Asks the client for the windows of the budgets charged, and finds their balances.
  private func label(
    _ records: [QueuedRecord], _ slots: [Int32], at now: Timestamp, _ client: any LedgerClient
  ) throws(SQLiteError) {
    plan.collectSlots(of: records, slots)
    guard !plan.slots.isEmpty else { return }
    client.label(plan.slots, at: now, into: &plan.windows)
    precondition(plan.windows.count == plan.slots.count, "a window for each slot")
    for (slot, window) in zip(plan.slots, plan.windows) {
      plan.labels.append(try label(slot: Int(slot), window))
    }
  }

  private func label(slot: Int, _ window: BudgetWindow) throws(SQLiteError) -> SlotLabel {
    lastPlaces.fill(to: slot + 1, with: -1)
    let start = window.start.unixMilliseconds
    var place = Int(lastPlaces[slot])
    if place < 0 || balances.entries[place].key.start != start
      || !budgets.isKey(window.key, of: balances.entries[place].key.budget)
    {
      place = try balancePlace(window, budget: budgets.number(of: window.key))
      lastPlaces[slot] = Int32(place)
    }
    return SlotLabel(
      start: start, end: window.end.unixMilliseconds, place: place,
      budget: balances.entries[place].key.budget)
  }

  /// The place of a window's balance; one that is not in memory may be in the table.
  func balancePlace(_ window: BudgetWindow, budget: Int64) throws(SQLiteError) -> Int {
    let key = BalanceKey(budget: budget, start: window.start.unixMilliseconds)
    if let place = balances.place(of: key) { return place }
    let row = try store?.statements.balance(key, origin: originID)
    return balances.add(
      Balances.Entry(
        key: key, end: row?.end ?? window.end.unixMilliseconds, amount: row?.amount ?? .zero,
        isKept: row != nil))
  }

  private func chargeBalances(_ records: [QueuedRecord], _ slots: [Int32]) {
    plan.sumUp(records, slots)
    for (label, sum) in zip(plan.labels, plan.sums) {
      if let sum { balances.charge(sum, at: label.place) }
    }
  }

  func undoCharges() {
    for (label, sum) in zip(plan.labels, plan.sums) {
      if let sum { balances.undo(sum, at: label.place) }
    }
    // A window that no commit has opened is not one.
    let gone = Set(plan.labels.map(\.place)).filter {
      !balances.entries[$0].isKept && balances.entries[$0].amount == .zero
    }
    balances.drop(Array(gone))
  }
}
