import BudgetModel

/// Budgets that names get from patterns: a pass costs what has news, and news of a budget that is far
/// from its limit waits.
extension Reconciler {
  /// A pass over those that are due, in slices: each that is awake takes much memory.
  mutating func passDynamic(
    _ occasion: RestingBudgets.Occasion, _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    if budgets.dynamic.isEmpty { return }
    let now = report.time
    budgets.dynamic.takeDue(occasion, at: now)
    while true {
      let chosen = budgets.wakeSlice(at: now)
      if chosen.isEmpty { return budgets.dynamic.pace(&report) }
      budgets.endWindows(chosen, at: now, &report)
      try read(chosen, &store, &report)
      try settleWindows(chosen, node, &store, &report)
      try merge(chosen, node, &store, &report)
      show(chosen, node, at: now)
      budgets.restDynamic(at: now)
    }
  }
}
