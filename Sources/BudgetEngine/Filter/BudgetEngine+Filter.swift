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
    _ question: borrowing FilterQuestion, in catalog: BudgetCatalog, at now: Timestamp,
    into decision: inout FilterDecision
  ) {
    filter(
      question, FilterAsking(estimate: question.estimate, now: now), in: catalog, into: &decision)
  }

  /// As `filter`; the estimate is that of `asking`.
  @inline(__always)
  func filter(
    _ question: borrowing FilterQuestion, _ asking: FilterAsking, in catalog: BudgetCatalog,
    into decision: inout FilterDecision
  ) {
    decision.begin()
    decision.candidateCount = question.candidates.count
    askCommon(question, asking, in: catalog, into: &decision)
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
        let passes = provider == Slot.none || asking.passes(provider, in: catalog)
        providerDenial = passes ? nil : denial(by: provider, .provider, asking, in: catalog)
        isProviderOpen = providerDenial == nil
      }
      // Nearly always; nothing that is only needed for a denial is touched.
      if isProviderOpen, isCommonOpen, !hasChecks, !candidate.hasSharedBudget,
        candidate.deployment == Slot.none || asking.passes(candidate.deployment, in: catalog)
      {
        decision.allowed.append(UInt32(truncatingIfNeeded: index))
        continue
      }
      judge(
        candidateAt: index, question, asking, in: catalog, byProvider: providerDenial,
        into: &decision)
    }
  }

  /// Allows or denies one candidate; `denial` is that of its provider, and tags and the total were
  /// asked.
  @inline(never)
  private func judge(
    candidateAt index: Int, _ question: borrowing FilterQuestion, _ asking: FilterAsking,
    in catalog: BudgetCatalog, byProvider denial: BudgetDenial?, into decision: inout FilterDecision
  ) {
    let candidate = question.candidates[index]
    let position = UInt32(truncatingIfNeeded: index)
    var own = denial
    if !question.candidateChecks.isEmpty {
      own = dynamicJudge(asking, question, in: catalog)
        .denial(ofCandidate: index, question, after: own)
    } else {
      if own == nil, candidate.deployment != Slot.none,
        !asking.passes(candidate.deployment, in: catalog)
      {
        own = self.denial(by: candidate.deployment, .deployment, asking, in: catalog)
      }
      if own == nil, candidate.hasSharedBudget {
        own = sharedDenial(of: candidate, asking, in: catalog)
      }
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
    _ question: borrowing FilterQuestion, _ asking: FilterAsking, in catalog: BudgetCatalog,
    into decision: inout FilterDecision
  ) {
    let tags = question.tags.span
    for index in tags.indices
    where tags[index] < Slot.none || !asking.passes(tags[index], in: catalog) {
      if tags[index] < Slot.none {
        let place = Int(Slot.none - 1 - tags[index])
        dynamicJudge(asking, question, in: catalog)
          .ask(question.named[place], hasFree: question.hasFree, into: &decision)
        continue
      }
      askCommon(
        tags[index], .tag, asking, in: catalog, hasFree: question.hasFree, into: &decision)
    }
    let total = catalog.totalSlot
    if total != Slot.none, !asking.passes(total, in: catalog) {
      askCommon(total, .total, asking, in: catalog, hasFree: question.hasFree, into: &decision)
    }
  }

  // Not inlined: the way of a filter stays short, and most configurations have no pattern.
  @inline(never)
  private func dynamicJudge(
    _ asking: FilterAsking, _ question: borrowing FilterQuestion, in catalog: BudgetCatalog
  ) -> DynamicJudge {
    DynamicJudge(engine: self, catalog: catalog, asking: asking, checks: question.checks)
  }

  private func askCommon(
    _ slot: Int32, _ scope: BudgetScope, _ asking: FilterAsking, in catalog: BudgetCatalog,
    hasFree: Bool, into decision: inout FilterDecision
  ) {
    guard let denial = denial(by: slot, scope, asking, in: catalog) else { return }
    decision.common.append(denial)
    guard hasFree else { return }
    if let frozen = frozenDenial(from: denial, scope, asking, in: catalog) {
      decision.frozen.append(frozen)
    }
  }

  /// The denial of the candidate by its model or a pool.
  func sharedDenial(
    of candidate: CandidateSlots, _ asking: FilterAsking, in catalog: BudgetCatalog
  ) -> BudgetDenial? {
    if candidate.model != Slot.none, !asking.passes(candidate.model, in: catalog),
      let denial = denial(by: candidate.model, .model, asking, in: catalog),
      let kept =
        candidate.isFree ? frozenDenial(from: denial, .model, asking, in: catalog) : denial
    {
      return kept
    }
    return poolDenial(of: candidate, asking, in: catalog)
  }

  /// The denial of the candidate by a pool.
  func poolDenial(
    of candidate: CandidateSlots, _ asking: FilterAsking, in catalog: BudgetCatalog
  ) -> BudgetDenial? {
    var rest = candidate.pools
    while rest != 0 {
      let slot = catalog.pools.slots[rest.trailingZeroBitCount]
      rest &= rest - 1
      guard slot != Slot.none, !asking.passes(slot, in: catalog),
        let denial = denial(by: slot, .pool, asking, in: catalog)
      else { continue }
      if !candidate.isFree { return denial }
      if let frozen = frozenDenial(from: denial, .pool, asking, in: catalog) { return frozen }
    }
    return nil
  }

  /// The first denial by the budgets of one name, of which `first` is the first.
  func denial(
    by first: Int32, _ scope: BudgetScope, _ asking: FilterAsking, in catalog: BudgetCatalog
  ) -> BudgetDenial? {
    var slot = first
    repeat {
      if let denial = ownDenial(by: slot, scope, asking, in: catalog) { return denial }
      slot = catalog.next(after: slot)
    } while slot != Slot.none
    return nil
  }

  /// `denial`, or a later one of the same name, that is of a frozen budget.
  func frozenDenial(
    from denial: BudgetDenial, _ scope: BudgetScope, _ asking: FilterAsking,
    in catalog: BudgetCatalog
  ) -> BudgetDenial? {
    if denial.mode == .freeze { return denial }
    var slot = catalog.next(after: denial.slot)
    while slot != Slot.none {
      if catalog.policies.mode(of: slot) == .freeze {
        return ownDenial(by: slot, scope, asking, in: catalog)
      }
      slot = catalog.next(after: slot)
    }
    return nil
  }

  /// The denial by the budget of one slot.
  private func ownDenial(
    by slot: Int32, _ scope: BudgetScope, _ asking: FilterAsking, in catalog: BudgetCatalog
  ) -> BudgetDenial? {
    if asking.asksGates && catalog.isOpenItself(slot) { return nil }
    let (limit, mode) = catalog.policies.inForce(of: slot)
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

/// A request under decision. Without its catalog, which goes beside it: in a value of the stack its
/// references would be counted, each time, by all lanes.
struct FilterAsking {
  let estimate: PicoUSD
  let now: Timestamp
  /// Without an estimate a slot's open gate is the whole answer.
  let asksGates: Bool

  init(estimate: PicoUSD, now: Timestamp) {
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
  func passes(_ slot: Int32, in catalog: BudgetCatalog) -> Bool {
    asksGates && catalog.isOpen(slot)
  }
}
