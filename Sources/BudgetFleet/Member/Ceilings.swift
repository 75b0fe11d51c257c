import BudgetEngine
import BudgetModel
import Locks
import Reconciliation

/// The budgets in which reservations need a ceiling, and who says how high it is.
struct Ceilings: Sendable {
  /// Who says how high ceilings are.
  enum Rule: Equatable, Sendable {
    /// The fleet, when it is asked.
    case fleet
    /// Nobody: reservations go by what this node knows.
    case nobody
    /// The node gives out its part of what is left, once in each window; nil: of as many as are given.
    case share(nodes: Int?)
  }

  var budgets: [BudgetKey: CatalogBudget] = [:]
  /// The edition of the catalog that they are of.
  var edition: UInt64 = 0
  /// The limits by which an outage policy has reckoned the ceilings that it gave out.
  var reckoned: [BudgetKey: PicoUSD] = [:]
  var rule = Rule.fleet
  /// Whether the store's user may not keep claims: then nobody can be asked, store or not.
  var isRefused = false

  var ruleInForce: Rule { isRefused ? .nobody : rule }

  /// Takes the budgets of another configuration, and gives those of the last one.
  mutating func take(
    _ budgets: [BudgetKey: CatalogBudget], of edition: UInt64
  ) -> [BudgetKey: CatalogBudget] {
    self.edition = edition
    return exchange(&self.budgets, with: budgets)
  }
}

extension SlotClaims {
  /// Whether an outage policy has given it out, and not the fleet.
  var isOfPolicy: Bool { usableUntil == .latest && ceiling ?? .zero > .zero }
}

extension FleetMember {
  /// The configuration is another: every budget whose reservations the fleet is asked for has a ceiling from
  /// now on, of nothing until more is granted; those that went have none. One call at a time.
  func placeCeilings() {
    let now = time.now()
    var budgets: [BudgetKey: CatalogBudget] = [:]
    let catalog = engine.catalog
    for budget in catalog.budgets {
      let key = budget.definition.key
      if options.reservations.mode(of: key) == .strict { budgets[key] = budget }
    }
    let before = ceilings.withLock { $0.take(budgets, of: catalog.edition) }
    for (key, budget) in before where budgets[key] == nil {
      engine.changeClaims(of: budget, at: now) { _, claims in claims = SlotClaims() }
    }
    place()
  }

  /// Others say from now on how high ceilings are.
  func setCeilings(by rule: Ceilings.Rule) {
    let isNew = ceilings.withLock { ceilings in
      defer { ceilings.rule = rule }
      return ceilings.rule != rule
    }
    if isNew { place() }
  }

  /// A pass or a call has gone through. Where the store's user may not keep claims, reservations go by what
  /// this node knows.
  func noteClaims(_ report: PassReport) {
    let areRefused = report.claimsRefusal != nil
    state.withLock { state in
      if !report.isOfPass { state.claims.onDemand += 1 }
      state.claims.told += report.claimed
      state.claims.learning += report.learning
      state.claims.areRefused = areRefused
    }
    changing.withLock { _ in
      let isNew = ceilings.withLock { ceilings in
        defer { ceilings.isRefused = areRefused }
        return ceilings.isRefused != areRefused
      }
      if isNew { place() }
    }
    // Nobody is asked for those who wait, and they need it no more.
    if areRefused { for key in waiting.budgets { waiting.answered(key, free: nil) } }
  }

  /// Windows that began since have parts of their own, and so have limits that an operator has changed.
  func renewCeilings() {
    let (rule, edition) = ceilings.withLock { ($0.ruleInForce, $0.edition) }
    guard case .share = rule else { return }
    if edition == engine.catalogEdition { place() } else { takeLimits() }
  }

  private func place() {
    let (budgets, rule) = ceilings.withLock { ($0.budgets, $0.ruleInForce) }
    // Those of names have a small part of what is left, or nobody is asked.
    engine.askForNames(rule == .fleet && options.reservations.mode == .strict)
    let now = time.now()
    var reckoned = ceilings.withLock { $0.reckoned }
    defer { ceilings.withLock { $0.reckoned = reckoned } }
    for (key, budget) in budgets {
      let limit = budget.definition.limit
      engine.changeClaims(of: budget, at: now) { use, claims in
        switch rule {
        case .fleet:
          if claims.ceiling == nil || claims.isOfPolicy { claims.place(.zero) }
        case .nobody: claims.place(nil)
        case .share(let nodes):
          guard let limit, !claims.isShare(of: use) || reckoned[key] != limit else { return }
          reckoned[key] = limit
          claims.place(use.share(of: limit, among: nodes ?? options.size ?? 1))
          claims.windowStart = use.windowStart
        }
      }
    }
  }
}

extension SlotClaims {
  /// Whether an outage policy has given the ceiling out in the window that is open.
  fileprivate func isShare(of use: BudgetUse) -> Bool {
    isOfPolicy && windowStart == use.windowStart
  }

  fileprivate mutating func place(_ ceiling: PicoUSD?) {
    self.ceiling = ceiling
    (usableUntil, coveredUntil) = (.latest, .latest)
    windowStart = nil
    isTight = false
  }
}

extension BudgetUse {
  /// The node's own use with its part of what is left of the limit.
  fileprivate func share(of limit: PicoUSD, among nodes: Int) -> PicoUSD {
    let left = limit - spend - others - claims.others - use
    let part = left > .zero ? PicoUSD(pico: left.pico / Int128(max(1, nodes))) : .zero
    return spend + use + part
  }
}
