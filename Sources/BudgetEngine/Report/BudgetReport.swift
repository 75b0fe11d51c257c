public import BudgetModel

/// Where one budget stands.
public struct BudgetReport: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its cap; nil: unlimited.
  public var limit: PicoUSD?
  /// What was spent in the open window, committed only, by this node and, as far as it has heard, by
  /// others; zero where none is open.
  public var spend: PicoUSD
  /// How much of that this node has spent.
  public var ownSpend: PicoUSD
  /// When the open window ends; nil where none is open.
  public var resetsAt: Timestamp?
  /// What this node charged since the process started, over all windows.
  public var charged: PicoUSD

  /// Limit less spend, negative once overshot; nil: unlimited.
  public var remaining: PicoUSD? { limit.map { $0 - spend } }

  /// Whether the budget denies by what is committed.
  public var isExhausted: Bool { limit.map { spend >= $0 } ?? false }
}

extension BudgetEngine {
  /// Where `budget` stands at `now`.
  public func report(on budget: CatalogBudget, at now: Timestamp) -> BudgetReport {
    let state = shards.state(of: budget.slot)
    return BudgetReport(
      key: budget.definition.key, limit: budget.definition.limit,
      spend: state.spend(at: now) + state.others(at: now), ownSpend: state.spend(at: now),
      resetsAt: state.resetsAt(at: now), charged: state.charged)
  }
}

extension BudgetCatalog {
  /// The budget of the given scope and name in force; nil where there is none.
  public func budget(_ scope: BudgetScope, _ name: NameBytes) -> CatalogBudget? {
    let slot: Int32?
    switch scope {
    case .provider: slot = providerSlots[name]
    case .tag: slot = tagSlots[name]
    case .deployment:
      guard let index = deployments.indexes[name] else { return nil }
      slot = deploymentCandidates[Int(index)].deployment
    }
    guard let slot, slot != Slot.none else { return nil }
    return budget(ofSlot: slot)
  }

  /// The name of the budget that a denial speaks of; empty where it is no longer in force.
  public func name(of denial: Denial) -> String { withName(of: denial) { $0.text } }

  /// Calls `body` with that name; no text is built.
  public func withName<Result>(of denial: Denial, _ body: (NameBytes) -> Result) -> Result {
    guard budgetIndexes[Int(denial.slot)] >= 0 else { return body(.absent) }
    return keys.names.with(keys.name(of: denial.slot), body)
  }
}
