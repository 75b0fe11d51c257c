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
  var rule = Rule.fleet
  /// Whether the store's user may not keep claims: then nobody can be asked, store or not.
  var isRefused = false

  var ruleInForce: Rule { isRefused ? .nobody : rule }
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
    for budget in engine.catalog.budgets {
      let key = budget.definition.key
      if options.reservations.mode(of: key) == .strict { budgets[key] = budget }
    }
    let before = ceilings.withLock { exchange(&$0.budgets, with: budgets) }
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

  /// Windows that began since have parts of their own.
  func renewCeilings() {
    guard case .share = ceilings.withLock({ $0.ruleInForce }) else { return }
    place()
  }

  private func place() {
    let (budgets, rule) = ceilings.withLock { ($0.budgets, $0.ruleInForce) }
    // Those of names have a small part of what is left, or nobody is asked.
    engine.askForNames(rule == .fleet && options.reservations.mode == .strict)
    let now = time.now()
    for budget in budgets.values {
      let limit = budget.definition.limit
      engine.changeClaims(of: budget, at: now) { use, claims in
        switch rule {
        case .fleet:
          if claims.ceiling == nil || claims.isOfPolicy { claims.place(.zero) }
        case .nobody: claims.place(nil)
        case .share(let nodes):
          let isReckoned = claims.isOfPolicy && claims.windowStart == use.windowStart
          guard !isReckoned, let limit else { return }
          claims.place(use.share(of: limit, among: nodes ?? options.size ?? 1))
          claims.windowStart = use.windowStart
        }
      }
    }
  }
}

extension SlotClaims {
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
