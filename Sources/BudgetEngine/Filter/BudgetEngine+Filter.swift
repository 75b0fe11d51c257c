public import BudgetModel

extension BudgetEngine {
  /// Decides which candidates may be used at `now`.
  ///
  /// A candidate is checked against the budgets of its provider, its deployment, its model and its
  /// pools; the first that denies ends it with one denial. Those left are denied by each exhausted
  /// tag and by the total, with one denial each. A budget denies when spend ≥ limit, and with an
  /// estimate also when spend + estimate > limit; a frozen one always. No limit never denies, nor
  /// does a budget that only watches: that is counted. A free candidate is kept out by budgets of
  /// its own provider and deployment, and by frozen ones.
  ///
  /// Complexity: one look at each budget named, runs of one provider counting once. Allocates
  /// nothing once the arrays of `decision` have grown.
  public func filter(
    _ question: FilterQuestion, in catalog: BudgetCatalog, at now: Timestamp,
    into decision: inout FilterDecision
  ) {
    let asking = FilterAsking(catalog: catalog, estimate: question.estimate, now: now)
    filter(question, asking, into: &decision)
  }

  /// As `filter`; the estimate is that of `asking`.
  @inline(__always)
  func filter(
    _ question: FilterQuestion, _ asking: FilterAsking, into decision: inout FilterDecision
  ) {
    decision.begin()
    decision.candidateCount = question.candidates.count
    askCommon(question, asking, into: &decision)
    let isCommonOpen = decision.common.isEmpty
    var provider = Slot.none
    var providerDenial: BudgetDenial?
    var isProviderOpen = true
    let candidates = question.candidates.span
    let hasChecks = !question.candidateChecks.isEmpty
    for index in candidates.indices {
      let candidate = candidates[index]
      if candidate.provider != provider {
        provider = candidate.provider
        let passes = provider == Slot.none || asking.passes(provider)
        providerDenial = passes ? nil : denial(by: provider, .provider, asking)
        isProviderOpen = providerDenial == nil
      }
      // Nearly always; nothing that is only needed for a denial is touched.
      if isProviderOpen, isCommonOpen, !hasChecks, !candidate.hasSharedBudget,
        candidate.deployment == Slot.none || asking.passes(candidate.deployment)
      {
        decision.allowed.append(UInt32(truncatingIfNeeded: index))
        continue
      }
      judge(candidateAt: index, question, asking, byProvider: providerDenial, into: &decision)
    }
  }

  /// Allows or denies one candidate; `denial` is that of its provider, and tags and the total were
  /// asked.
  @inline(never)
  private func judge(
    candidateAt index: Int, _ question: borrowing FilterQuestion, _ asking: borrowing FilterAsking,
    byProvider denial: BudgetDenial?, into decision: inout FilterDecision
  ) {
    let candidate = question.candidates[index]
    let position = UInt32(truncatingIfNeeded: index)
    var own = denial
    if !question.candidateChecks.isEmpty {
      own = asking.dynamicDenial(ofCandidate: index, question, by: self, after: own)
    } else {
      if own == nil, candidate.deployment != Slot.none, !asking.passes(candidate.deployment) {
        own = self.denial(by: candidate.deployment, .deployment, copy asking)
      }
      if own == nil, candidate.hasSharedBudget { own = sharedDenial(of: candidate, copy asking) }
    }
    if var own {
      own.candidate = position
      decision.deny(own, atMost: question.maximumDenials)
    } else if decision.common.isEmpty || candidate.isFree && decision.frozen.isEmpty {
      decision.allowed.append(position)
    } else {
      decision.denyByCommon(
        candidate: position, isFree: candidate.isFree, atMost: question.maximumDenials)
    }
  }

  /// Asks the budgets that all candidates have in common: tags and the total.
  @inline(__always)
  private func askCommon(
    _ question: FilterQuestion, _ asking: FilterAsking, into decision: inout FilterDecision
  ) {
    let tags = question.tags.span
    for index in tags.indices where tags[index] < Slot.none || !asking.passes(tags[index]) {
      if tags[index] < Slot.none {
        let place = Int(Slot.none - 1 - tags[index])
        asking.askDynamic(question.named[place], question, by: self, into: &decision)
        continue
      }
      askCommon(tags[index], .tag, asking, hasFree: question.hasFree, into: &decision)
    }
    let total = asking.catalog.totalSlot
    if total != Slot.none, !asking.passes(total) {
      askCommon(total, .total, asking, hasFree: question.hasFree, into: &decision)
    }
  }

  private func askCommon(
    _ slot: Int32, _ scope: BudgetScope, _ asking: FilterAsking, hasFree: Bool,
    into decision: inout FilterDecision
  ) {
    guard let denial = denial(by: slot, scope, asking) else { return }
    decision.common.append(denial)
    guard hasFree else { return }
    if let frozen = frozenDenial(from: denial, scope, asking) { decision.frozen.append(frozen) }
  }

  /// The denial of the candidate by its model or a pool.
  func sharedDenial(of candidate: CandidateSlots, _ asking: FilterAsking) -> BudgetDenial? {
    if candidate.model != Slot.none,
      let denial = sharedDenial(by: candidate.model, .model, asking, isFree: candidate.isFree)
    {
      return denial
    }
    return poolDenial(of: candidate, asking)
  }

  /// The denial of the candidate by a pool.
  func poolDenial(of candidate: CandidateSlots, _ asking: FilterAsking) -> BudgetDenial? {
    var rest = candidate.pools
    while rest != 0 {
      let slot = asking.catalog.pools.slots[rest.trailingZeroBitCount]
      rest &= rest - 1
      if slot != Slot.none,
        let denial = sharedDenial(by: slot, .pool, asking, isFree: candidate.isFree)
      {
        return denial
      }
    }
    return nil
  }

  private func sharedDenial(
    by slot: Int32, _ scope: BudgetScope, _ asking: FilterAsking, isFree: Bool
  ) -> BudgetDenial? {
    guard !asking.passes(slot), let denial = denial(by: slot, scope, asking) else { return nil }
    return isFree ? frozenDenial(from: denial, scope, asking) : denial
  }

  /// The first denial by the budgets of one name, of which `first` is the first.
  func denial(
    by first: Int32, _ scope: BudgetScope, _ asking: FilterAsking
  ) -> BudgetDenial? {
    var slot = first
    repeat {
      if let denial = ownDenial(by: slot, scope, asking) { return denial }
      slot = asking.catalog.next(after: slot)
    } while slot != Slot.none
    return nil
  }

  /// `denial`, or a later one of the same name, that is of a frozen budget.
  func frozenDenial(
    from denial: BudgetDenial, _ scope: BudgetScope, _ asking: FilterAsking
  ) -> BudgetDenial? {
    if denial.mode == .freeze { return denial }
    var slot = asking.catalog.next(after: denial.slot)
    while slot != Slot.none {
      if asking.catalog.policies.mode(of: slot) == .freeze {
        return ownDenial(by: slot, scope, asking)
      }
      slot = asking.catalog.next(after: slot)
    }
    return nil
  }

  /// The denial by the budget of one slot.
  private func ownDenial(
    by slot: Int32, _ scope: BudgetScope, _ asking: FilterAsking
  ) -> BudgetDenial? {
    if asking.asksGates && asking.catalog.isOpenItself(slot) { return nil }
    let (limit, mode) = asking.catalog.policies.inForce(of: slot)
    if limit == BudgetCatalog.unlimited, mode != .freeze { return nil }
    let standing = shards.standing(of: slot, at: asking.now)
    guard asking.denies(standing.spend, limit: limit, mode) else { return nil }
    if mode == .shadow {
      shards.countShadowed(slot)
      return nil
    }
    return BudgetDenial(
      candidate: 0, scope: scope, slot: slot, spend: standing.spend, withheld: standing.withheld,
      reserved: standing.reserved, limit: limit, mode: mode, resetsAt: standing.resetsAt)
  }
}

/// A request under decision.
struct FilterAsking {
  let catalog: BudgetCatalog
  let estimate: PicoUSD
  let now: Timestamp
  /// Without an estimate a slot's open gate is the whole answer.
  let asksGates: Bool

  init(catalog: BudgetCatalog, estimate: PicoUSD, now: Timestamp) {
    self.catalog = catalog
    self.estimate = estimate
    self.now = now
    asksGates = estimate == .zero
  }

  /// Whether a budget of this limit and mode denies the request when `spend` is compared with it, or
  /// would, if it only watches.
  @inline(__always)
  func denies(_ spend: PicoUSD, limit: PicoUSD, _ mode: BudgetMode) -> Bool {
    mode == .freeze || Self.denies(spend, limit: limit, estimate: estimate)
  }

  /// Whether a budget denies a request of this estimate when `spend` is compared with its limit.
  @inline(__always)
  static func denies(_ spend: PicoUSD, limit: PicoUSD, estimate: PicoUSD) -> Bool {
    spend >= limit || spend + estimate > limit
  }

  /// Whether the name whose first budget is `slot` has no other and denies nothing.
  @inline(__always)
  func passes(_ slot: Int32) -> Bool { asksGates && catalog.isOpen(slot) }
}
