import BudgetModel
import Digest

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
    refuseTooLarge(records, slots)
    if isNothingToStore(records) {
      conclude(.committed, row: nil, records, slots, at: now)
      return putBack
    }
    chargeBalances(records, slots)
    let id = lastBatch + 1
    let digest = encode(records, slots, id: id, at: now)
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
    if slot >= labels.count {
      labels.append(contentsOf: repeatElement(nil, count: slot + 1 - labels.count))
    }
    if let known = labels[slot], known.window == window { return known }
    let budget = budgetID(of: window.key)
    let place = try balancePlace(window, budget: budget)
    let label = SlotLabel(window: window, place: place, budget: budget)
    labels[slot] = label
    return label
  }

  /// The budget's number; a new one gets its row with the next transaction.
  func budgetID(of key: BudgetKey) -> Int64 {
    if let id = budgetIDs[key] { return id }
    let id = nextBudgetID
    nextBudgetID += 1
    budgetIDs[key] = id
    unwrittenBudgets.append((id, key))
    return id
  }

  /// Where a window's balance is; one that is not in memory may be in the table.
  func balancePlace(_ window: BudgetWindow, budget: Int64) throws(SQLiteError) -> Int {
    let key = BalanceKey(budget: budget, start: window.start.unixMilliseconds)
    if let place = balances.place(of: key) { return place }
    let row = try store?.statements.balance(key, origin: originID)
    return balances.add(
      Balances.Entry(
        key: key, end: row?.end ?? window.end.unixMilliseconds, amount: row?.amount ?? .zero,
        isKept: row != nil))
  }

  /// Refuses what would take a window's total out of the range that its columns hold.
  private func refuseTooLarge(_ records: [QueuedRecord], _ slots: [Int32]) {
    var sum = PicoUSD.zero
    for index in plan.leaders { sum += records[Int(plan.places[index])].amount }
    let room = settings.totalBound - sum
    // Nearly always: even all of the batch together fits everywhere.
    if plan.labels.allSatisfy({ balances.entries[$0.place].amount <= room }) { return }
    let (candidates, retries) = (plan.leaders, plan.followers)
    plan.leaders.removeAll(keepingCapacity: true)
    for index in candidates {
      let record = records[Int(plan.places[index])]
      let fits = record.slotRange.allSatisfy {
        let place = plan.labels[plan.position(of: slots[$0])].place
        return balances.entries[place].amount <= room
      }
      if fits {
        plan.leaders.append(index)
        continue
      }
      plan.outcomes[index] = .notRecorded(.totalTooLarge)
      guard record.hasKey else { continue }
      shared.keys.remove(record.digest)
      for retry in retries where records[Int(plan.places[retry])].digest == record.digest {
        plan.outcomes[retry] = .notRecorded(.totalTooLarge)
      }
    }
    let outcomes = plan.outcomes
    plan.followers.removeAll { outcomes[$0] != .duplicate }
  }

  private func isNothingToStore(_ records: [QueuedRecord]) -> Bool {
    plan.leaders.allSatisfy { index in
      let record = records[Int(plan.places[index])]
      return !record.hasKey && record.slotCount == 0
    }
  }

  private func chargeBalances(_ records: [QueuedRecord], _ slots: [Int32]) {
    plan.sumUp(records, slots)
    for (label, sum) in zip(plan.labels, plan.sums) {
      if let sum { balances.charge(sum, at: label.place) }
    }
  }

  func undoCharges(_ records: [QueuedRecord], _ slots: [Int32]) {
    for (label, sum) in zip(plan.labels, plan.sums) {
      if let sum { balances.undo(sum, at: label.place) }
    }
    // A window that no commit has opened is none.
    let gone = Set(plan.labels.map(\.place)).filter {
      !balances.entries[$0].isKept && balances.entries[$0].amount == .zero
    }
    balances.drop(Array(gone))
    if !gone.isEmpty { labels.removeAll(keepingCapacity: true) }
  }

  /// Writes the batch's row into its buffer; the row's digest.
  private func encode(
    _ records: [QueuedRecord], _ slots: [Int32], id: Int64, at now: Timestamp
  ) -> [UInt8] {
    row.begin(id: id, origin: originID, time: now, windowCount: plan.labels.count)
    for label in plan.labels {
      row.add(
        BatchContents.Window(
          budget: label.budget, start: label.window.start.unixMilliseconds,
          end: label.window.end.unixMilliseconds))
    }
    row.addRecords(of: plan, records, slots)
    let digest = row.text.withBytes { SHA256Digest.prefix(of: $0) }
    return stride(from: 120, through: 0, by: -8).map { UInt8(truncatingIfNeeded: digest >> $0) }
  }
}
