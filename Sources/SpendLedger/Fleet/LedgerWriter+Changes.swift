import BudgetModel

extension LedgerWriter {
  /// How long after its end a window is still told of: late spend may be shown, and a pass may have
  /// been under way.
  private static let toldAfterEnd: Int64 = 10 * 60 * 1_000

  /// All changes since the last call. It is made between batches, so all of it is committed.
  func changes() -> Result<LedgerChanges, LedgerError> {
    guard let store, let client else { return .failure(.closed) }
    var changes = LedgerChanges(isComplete: tellsEverything, totals: [])
    if tellsEverything {
      do throws(SQLiteError) {
        let cutoff = client.now().unixMilliseconds - Self.toldAfterEnd
        changes.totals = try everything(store, endingFrom: cutoff)
        changes.fleet = try fleet(store, budgets, endingFrom: cutoff)
      } catch {
        refused(error)
        return .failure(error.ledgerError(path: store.path))
      }
    } else {
      changes.totals = otherTotals.compactMap(total)
      for place in balances.changed {
        if let total = total(row(Int(place))) { changes.totals.append(total) }
      }
    }
    tellsEverything = false
    otherTotals.removeAll()
    balances.told()
    return .success(changes)
  }

  private func total(_ row: BalanceRow) -> WindowTotal? {
    guard let key = budgets.key(of: row.key.budget), let origin = origins[row.origin] else {
      return nil
    }
    let window = BudgetWindow(
      key: key, start: Timestamp(unixMilliseconds: row.key.start),
      end: Timestamp(unixMilliseconds: row.end))
    return WindowTotal(window: window, origin: origin, amount: row.amount)
  }

  private func row(_ place: Int) -> BalanceRow {
    let entry = balances.entries[place]
    return BalanceRow(key: entry.key, end: entry.end, origin: originID, amount: entry.amount)
  }

  /// Every balance of windows that end at `cutoff` or later: what memory holds wins over its row.
  private func everything(
    _ store: LedgerStore, endingFrom cutoff: Int64
  ) throws(SQLiteError) -> [WindowTotal] {
    var totals: [WindowTotal] = []
    try store.fleet.forEachBalance(endingFrom: cutoff) { row in
      if row.origin == originID, balances.place(of: row.key) != nil { return }
      if let total = total(row) { totals.append(total) }
    }
    for place in balances.entries.indices {
      let entry = balances.entries[place]
      // Not those that were let go of, and not windows that no commit has opened.
      guard entry.end >= cutoff, balances.place(of: entry.key) == place,
        entry.isKept || entry.amount > .zero, let total = total(row(place))
      else { continue }
      totals.append(total)
    }
    return totals
  }

  private func fleet(
    _ store: LedgerStore, _ names: BudgetNumbers, endingFrom cutoff: Int64
  ) throws(SQLiteError) -> [FleetWindow] {
    var windows: [FleetWindow] = []
    for row in try store.fleet.rows(endingFrom: cutoff) {
      guard let key = names.key(of: row.budget), let window = row.window(of: key) else {
        throw .damagedFleetWindow
      }
      windows.append(window)
    }
    return windows
  }
}
