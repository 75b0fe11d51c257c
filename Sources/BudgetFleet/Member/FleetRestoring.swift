public import BudgetEngine
public import BudgetModel
public import SpendLedger

/// Finds, at a start, the windows that a member of a fleet goes on with.
public enum FleetRestoring {
  /// The fleet's window that is open at `now`, of each budget that has one: of several
  /// the last to end, as reconciling has it.
  static func inForce(
    _ windows: [FleetWindow], at now: Timestamp
  ) -> [BudgetKey: FleetWindow] {
    var inForce: [BudgetKey: FleetWindow] = [:]
    for window in windows where window.window.end >= now {
      let key = window.window.key
      if let other = inForce[key],
        (other.window.end, other.window.start) > (window.window.end, window.window.start)
      {
        continue
      }
      inForce[key] = window
    }
    return inForce
  }

  /// `windows` without those of budgets that names have by patterns alone, of which there may be a
  /// million: how many nodes shared them nobody asks.
  static func named(_ windows: [FleetWindow], in catalog: BudgetCatalog) -> [FleetWindow] {
    let patterns = catalog.patternsInForce
    if patterns.isEmpty { return windows }
    let entries = Set(catalog.budgets.map(\.definition.key))
    return windows.filter { window in
      let key = window.window.key
      return entries.contains(key)
        || !patterns.contains { $0.key.scope == key.scope && $0.matches(key.name) }
    }
  }

  /// The windows that the ledger knows, as the engine of a member restores them; `own` are those
  /// that a node without a fleet would restore.
  ///
  /// If the fleet's window is still open, it is the one. The spend of the budget's other open
  /// windows is counted in it: they are moved to it at the first pass.
  public static func windows(
    _ opening: LedgerOpening, besides own: [BudgetWindowState], at now: Timestamp
  ) -> [BudgetWindowState] {
    let inForce = inForce(opening.fleet, at: now)
    // There may be a million open windows that are the calendar's, and so nobody's to agree on.
    if inForce.isEmpty { return own }
    var spends: [BudgetKey: PicoUSD] = [:]
    for open in opening.openWindows where inForce[open.window.key] != nil {
      spends[open.window.key, default: .zero] += open.spend
    }
    var windows = own.filter { inForce[$0.key] == nil }
    for (key, fleet) in inForce.sorted(by: { $0.key.description < $1.key.description }) {
      windows.append(
        BudgetWindowState(
          key: key, start: fleet.window.start, end: fleet.window.end,
          spend: spends[key] ?? .zero, others: fleet.others))
    }
    return windows
  }
}
