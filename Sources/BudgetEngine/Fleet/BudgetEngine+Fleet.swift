public import BudgetModel
import Locks

extension BudgetEngine {
  /// Makes a window of the fleet its budget's own, with what this node has spent in it, in place of
  /// the windows that opened at `replaced`. A budget that goes by another key since, or whose windows
  /// have another length, is passed over. One that a pattern gives its name comes to live: another
  /// node may have begun its window.
  ///
  /// Precondition: no reload is under way, and no charge between its label and its commit.
  public func adopt(
    _ window: BudgetWindowState, replacing replaced: [Timestamp], at now: Timestamp
  ) {
    // Under the lock: a dynamic budget could be lost in between.
    installed.withLock { installed in
      guard let slot = installed.slot(of: window.key) ?? installed.make(window, shards, at: now)
      else { return }
      shards.update(slot) { $0.adopt(window, replacing: replaced, at: now) }
    }
  }

  /// Notes what others have spent of `budget` in the window that opened at `start`; where another
  /// one is in force, nothing.
  public func show(others: PicoUSD, of budget: CatalogBudget, inWindowFrom start: Timestamp) {
    shards.update(budget.slot) { $0.show(others: others, inWindowFrom: start) }
  }

  /// The same of a budget that a name has from a pattern; one that was given back is passed over.
  public func show(others: PicoUSD, ofDynamic key: BudgetKey, inWindowFrom start: Timestamp) {
    // Under the lock: it could be given back in between, and its slot handed out again.
    installed.withLock { $0.show(others: others, of: key, inWindowFrom: start, shards) }
  }

  /// Whether the window that `budget` has at `now` is the one that opened at `start`.
  public func isOpen(
    _ budget: CatalogBudget, windowFrom start: Timestamp, at now: Timestamp
  ) -> Bool {
    let state = shards.state(of: budget.slot)
    return state.isOpen(at: now) && state.start == start
  }

  /// Sets aside, of what is left of `budget`'s limit, the parts of other nodes: in the open window
  /// there are `nodes`, in the next one `nextNodes`. Harmless when repeated: a part is reckoned anew
  /// only where the limit is another.
  public func withhold(
    of budget: CatalogBudget, nodes: Int, nextNodes: Int, at now: Timestamp
  ) {
    shards.update(budget.slot) { state in
      guard let limit = budget.definition.limit else { return state.endWithholding() }
      state.withhold(of: limit, nodes: nodes, nextNodes: nextNodes, at: now)
    }
  }

  /// The same of all budgets that names have from patterns, and of those that they get from now on.
  public func withholdOfDynamicBudgets(nodes: Int, at now: Timestamp) {
    dynamic.share(among: nodes, under: catalog, shards, at: now)
  }

  /// Nothing is set aside of any budget any more.
  public func endWithholding() {
    dynamic.endSharing()
    for slot in 0..<slotCount { shards.update(slot) { $0.endWithholding() } }
  }
}
