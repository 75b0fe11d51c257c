public import BudgetModel

/// The state of one budget.
public struct BudgetReport: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its limit; nil: unlimited.
  public var limit: PicoUSD?
  /// The spend in the open window, committed only, of this node and, as far as it has heard, of
  /// others; zero where none is open.
  public var spend: PicoUSD
  /// How much of that this node has spent.
  public var ownSpend: PicoUSD
  /// When the open window ends; nil where none is open.
  public var resetsAt: Timestamp?
  /// The sum that this node charged since the process started, over all windows.
  public var charged: PicoUSD

  /// Limit less spend, negative once overshot; nil: unlimited.
  public var remaining: PicoUSD? { limit.map { $0 - spend } }

  /// Whether the budget denies by what is committed.
  public var isExhausted: Bool { limit.map { spend >= $0 } ?? false }
}

extension BudgetEngine {
  /// The state of `budget` at `now`.
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
  public func name(of denial: BudgetDenial) -> String { withName(of: denial) { $0.text } }

  /// Calls `body` with that name; no text is built.
  public func withName<Result>(of denial: BudgetDenial, _ body: (NameBytes) -> Result) -> Result {
    guard budgetIndexes[Int(denial.slot)] >= 0 else { return body(.absent) }
    return keys.names.with(keys.name(of: denial.slot), body)
  }
}

/// One budget's verdict on a request, and its state as filtering sees it.
public struct BudgetVerdict: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its limit; nil: unlimited.
  public var limit: PicoUSD?
  /// The amount compared with the limit: spend, others' too, pending and withheld.
  public var compared: PicoUSD
  /// How much of that waits to be recorded.
  public var pending: PicoUSD
  /// How much of it an outage policy has set aside: nobody has spent it.
  public var withheld: PicoUSD
  /// When the open window ends; nil where none is open.
  public var resetsAt: Timestamp?
  /// Whether the budget denies the request.
  public var denies: Bool
}

extension BudgetEngine {
  /// The verdict of `budget` at `now` on a request that is expected to cost `estimate`; zero: not
  /// known.
  public func verdict(
    of budget: CatalogBudget, estimate: PicoUSD, at now: Timestamp
  ) -> BudgetVerdict {
    let state = shards.state(of: budget.slot)
    let compared = state.committedAndPending(at: now)
    let limit = budget.definition.limit
    return BudgetVerdict(
      key: budget.definition.key, limit: limit, compared: compared, pending: state.pending,
      withheld: state.withheld(at: now), resetsAt: state.resetsAt(at: now),
      denies: limit.map { Self.denies(compared, limit: $0, estimate: estimate) } ?? false)
  }
}

extension BudgetCatalog {
  /// The budget of the candidate's provider; nil where it has none.
  public func providerBudget(of candidate: CandidateSlots) -> CatalogBudget? {
    candidate.provider == Slot.none ? nil : budget(ofSlot: candidate.provider)
  }

  /// The budget of the candidate's own; nil where it has none.
  public func deploymentBudget(of candidate: CandidateSlots) -> CatalogBudget? {
    candidate.deployment == Slot.none ? nil : budget(ofSlot: candidate.deployment)
  }

  /// The budget of the tag; nil where it has none.
  public func tagBudget(_ tag: NameBytes) -> CatalogBudget? {
    tagSlot(tag).flatMap { budget(ofSlot: $0) }
  }
}
