public import BudgetModel

/// What one budget says of a request, and where it stands as filtering sees it.
public struct BudgetVerdict: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its limit; nil: unlimited.
  public var limit: PicoUSD?
  /// What is compared with the limit: spend, others' too, pending and withheld.
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
  /// What `budget` says at `now` of a request that is expected to cost `estimate`; zero: not known.
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
