public import BudgetModel

/// The state of one budget.
public struct BudgetReport: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its limit; nil: unlimited.
  public var limit: PicoUSD?
  /// The budget's mode at its limit.
  public var mode = BudgetMode.enforce
  /// The policy that the configuration gives it; nil: that in force.
  public var configured: BudgetPolicy?
  /// The changes in force over that; nil: there are none.
  public var changed: ChangedPolicy?
  /// Whose words it is written in.
  public var origin = BudgetOrigin.liteLLM
  /// How often it would have denied since the process started, where it only watches.
  public var shadowed: UInt64 = 0
  /// The spend in the open window, committed only, of this node and, as far as it has heard, of
  /// others; zero where none is open.
  public var spend: PicoUSD
  /// How much of that this node has spent.
  public var ownSpend: PicoUSD
  /// How much reservations keep back beside it, this node's and, as far as it has heard, others'.
  public var reserved = PicoUSD.zero
  /// When the open window ends; nil where none is open.
  public var resetsAt: Timestamp?
  /// When it began, under the same condition.
  public var startedAt: Timestamp?
  /// The sum that this node charged since the process started, over all windows.
  public var charged: PicoUSD

  /// Limit less spend, negative once overshot; nil: unlimited.
  public var remaining: PicoUSD? { limit.map { $0 - spend } }

  /// Whether the budget's limit is reached by what is committed.
  public var hasReachedLimit: Bool { limit.map { spend >= $0 } ?? false }

  /// Whether the budget's limit is reached by what is committed, or it is frozen.
  public var isExhausted: Bool { mode == .freeze || hasReachedLimit }

  /// Whether it denies by what is committed.
  public var denies: Bool { isExhausted && mode != .shadow }
}

extension BudgetEngine {
  /// The state of `budget` at `now`.
  public func report(on budget: CatalogBudget, at now: Timestamp) -> BudgetReport {
    let isShadow = budget.definition.policy.mode == .shadow
    let (state, kept) = shards.stateAndKept(of: budget.slot)
    var report = BudgetReport(budget.definition, state, at: now)
    report.reserved = kept
    (report.configured, report.changed) = (budget.configured, budget.changed)
    if isShadow { report.shadowed = shards.shadowed(budget.slot) }
    return report
  }
}

extension BudgetReport {
  /// Of a budget in that state; how often it would have denied is not told.
  init(_ definition: BudgetDefinition, _ state: SlotState, at now: Timestamp) {
    self.init(
      key: definition.key, limit: definition.limit, mode: definition.policy.mode,
      origin: definition.origin, spend: state.spend(at: now) + state.others(at: now),
      ownSpend: state.spend(at: now), resetsAt: state.resetsAt(at: now),
      startedAt: state.startedAt(at: now), charged: state.charged)
  }
}

extension BudgetCatalog {
  /// The first budget of the given scope and name in force, LiteLLM's where it has one; nil where
  /// there is none.
  public func budget(_ scope: BudgetScope, _ name: NameBytes) -> CatalogBudget? {
    guard let slot = firstSlot(scope, name), slot != Slot.none else { return nil }
    return budget(ofSlot: slot)
  }

  /// All budgets of the given scope and name in force, LiteLLM's first, then the shortest window.
  public func budgets(_ scope: BudgetScope, _ name: NameBytes) -> [CatalogBudget] {
    budgets(from: firstSlot(scope, name) ?? Slot.none)
  }

  /// The budgets of one name, from its first slot on.
  func budgets(from first: Int32) -> [CatalogBudget] {
    var found: [CatalogBudget] = []
    var slot = first
    while slot != Slot.none, let budget = budget(ofSlot: slot) {
      found.append(budget)
      slot = next(after: slot)
    }
    return found
  }

  func firstSlot(_ scope: BudgetScope, _ name: NameBytes) -> Int32? {
    switch scope {
    case .provider: return providerSlots[name]
    case .tag: return tagSlots[name]
    case .model: return modelSlots[name]
    case .pool: return poolSlots[name]
    case .total: return totalSlot
    case .deployment:
      return deployments.indexes[name].map { deploymentCandidates[Int($0)].deployment }
        ?? strangerSlots?[name]
    }
  }

  /// Calls `body` with the budget that a denial speaks of; no text is built.
  public func withDenier<Result>(
    of denial: BudgetDenial, _ body: (DenialText.Denier) -> Result
  ) -> Result {
    let reason = denial.mode == .freeze ? freezeReason(of: denial.slot) : ""
    if denial.life != 0 {
      let (name, window) = dynamicIdentity(of: denial)
      return NameBytes.with(name) {
        body(DenialText.Denier(name: $0, window: window, reason: reason))
      }
    }
    let window = spokenWindow(of: denial.slot)
    return withName(of: denial) {
      body(DenialText.Denier(name: $0, window: window, reason: reason))
    }
  }

  /// The window of the budget that a denial speaks of; nil: LiteLLM's own, or no longer in force.
  public func spokenWindow(of denial: BudgetDenial) -> String? {
    denial.life == 0 ? spokenWindow(of: denial.slot) : dynamicIdentity(of: denial).window
  }

  /// The name and window of a dynamic budget that denies; empty where it was lost meanwhile.
  private func dynamicIdentity(of denial: BudgetDenial) -> (name: [UInt8], window: String?) {
    guard
      let found = dynamic.identity(of: denial.home, slot: denial.slot, life: denial.life)
    else { return ([], nil) }
    return (found.name, windowText(found.window))
  }

  /// The text of a window's number; empty for one that is younger than this configuration.
  func windowText(_ number: Int32) -> String {
    keys.hasWindow(number) ? keys.text(ofWindow: number) : ""
  }

  /// The name of the budget that a denial speaks of; empty where it is no longer in force.
  public func name(of denial: BudgetDenial) -> String { withName(of: denial) { $0.text } }

  /// Calls `body` with that name; no text is built.
  public func withName<Result>(of denial: BudgetDenial, _ body: (NameBytes) -> Result) -> Result {
    if denial.life != 0 { return NameBytes.with(dynamicIdentity(of: denial).name, body) }
    guard isInForce(denial.slot) else {
      return NameBytes.with(frozen.keys[denial.slot]?.name ?? "", body)
    }
    return keys.names.with(keys.name(of: denial.slot), body)
  }
}

/// One budget's verdict on a request, and its state as filtering sees it.
public struct BudgetVerdict: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its limit; nil: unlimited.
  public var limit: PicoUSD?
  /// The amount compared with the limit: spend, others' too, pending, withheld and reserved.
  public var compared: PicoUSD
  /// How much of that waits to be recorded.
  public var pending: PicoUSD
  /// How much of it an outage policy has set aside: nobody has spent it.
  public var withheld: PicoUSD
  /// How much of it reservations keep back: nobody has spent it yet.
  public var reserved = PicoUSD.zero
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
    let (state, kept) = shards.stateAndKept(of: budget.slot)
    let compared = state.committedAndPending(at: now) + kept
    let limit = budget.definition.limit
    return BudgetVerdict(
      key: budget.definition.key, limit: limit, compared: compared, pending: state.pending,
      withheld: state.withheld(at: now), reserved: kept, resetsAt: state.resetsAt(at: now),
      denies: budget.definition.policy.mode == .freeze
        || budget.definition.policy.mode == .enforce
          && (limit.map { FilterAsking.denies(compared, limit: $0, estimate: estimate) } ?? false)
    )
  }
}

extension BudgetCatalog {
  /// The budgets of one scope that have a say about the candidate; none of tags and the total, which
  /// do not belong to a candidate.
  public func budgets(_ scope: BudgetScope, of candidate: CandidateSlots) -> [CatalogBudget] {
    switch scope {
    case .provider: return budgets(from: candidate.provider)
    case .deployment: return budgets(from: candidate.deployment)
    case .model: return budgets(from: candidate.model)
    case .pool:
      var found: [CatalogBudget] = []
      pools.forEachSlot(of: candidate.pools) { found += budgets(from: $0) }
      return found
    case .tag, .total: return []
    }
  }
}
