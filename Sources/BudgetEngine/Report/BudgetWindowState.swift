public import BudgetModel

/// One window of one budget, with what was spent in it.
public struct BudgetWindowState: Hashable, Sendable {
  /// The budget.
  public var key: BudgetKey
  /// When the window opened.
  public var start: Timestamp
  /// The last instant of the window.
  public var end: Timestamp
  /// This node's spend in it.
  public var spend: PicoUSD
  /// The spend of others in it, as far as this node has heard.
  public var others: PicoUSD

  /// Makes a window.
  public init(
    key: BudgetKey, start: Timestamp, end: Timestamp, spend: PicoUSD, others: PicoUSD = .zero
  ) {
    self.key = key
    self.start = start
    self.end = end
    self.spend = spend
    self.others = others
  }
}

extension BudgetEngine {
  /// The last window of every budget that `catalog` has in force and that ever opened one. With
  /// `countsPending` what waits to be recorded is part of the spend, in a window that opens at `now`
  /// where none is open: for recorders that never take it back.
  public func windows(
    of catalog: BudgetCatalog, countsPending: Bool, at now: Timestamp
  ) -> [BudgetWindowState] {
    catalog.budgets.compactMap { budget in
      var state = shards.state(of: budget.slot)
      let pending = countsPending ? state.pending : .zero
      if pending > .zero { state.openWindow(at: now) }
      guard state.end != SlotState.never else { return nil }
      return BudgetWindowState(
        key: budget.definition.key, start: state.start, end: state.end,
        spend: state.spend + pending, others: state.others)
    }
  }
}
