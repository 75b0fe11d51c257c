public import BudgetModel

extension BudgetEngine {
  /// Decides which candidates may be used at `now`.
  ///
  /// A candidate is checked against its provider's budget, then its deployment's; the first that
  /// denies ends it with one denial. Those left are denied by each exhausted tag, with one denial
  /// a tag. A budget denies when spend ≥ limit, and with an estimate also when
  /// spend + estimate > limit. No limit never denies.
  ///
  /// Complexity: one look at each budget named, runs of one provider counting once. Allocates
  /// nothing once the arrays of `decision` have grown.
  public func filter(
    _ question: FilterQuestion, in catalog: BudgetCatalog, at now: Timestamp,
    into decision: inout FilterDecision
  ) {
    decision.begin()
    decision.candidateCount = question.candidates.count
    let estimate = question.estimate
    // Without an estimate a slot's open gate is the whole answer.
    let asksGates = estimate == .zero
    let tags = question.tags.span
    for index in tags.indices {
      let slot = tags[index]
      if asksGates && catalog.isOpen(slot) { continue }
      if let denial = denial(by: slot, .tag, in: catalog, estimate: estimate, at: now) {
        decision.exhaustedTags.append(denial)
      }
    }
    let isTagFree = decision.exhaustedTags.isEmpty
    var provider = Slot.none
    var providerDenial: BudgetDenial?
    let candidates = question.candidates.span
    for index in candidates.indices {
      let candidate = candidates[index]
      let position = UInt32(truncatingIfNeeded: index)
      if candidate.provider != provider {
        provider = candidate.provider
        let isOpen = provider == Slot.none || asksGates && catalog.isOpen(provider)
        providerDenial =
          isOpen
          ? nil : denial(by: provider, .provider, in: catalog, estimate: estimate, at: now)
      }
      var own = providerDenial
      if own == nil, candidate.deployment != Slot.none,
        !(asksGates && catalog.isOpen(candidate.deployment))
      {
        own = denial(
          by: candidate.deployment, .deployment, in: catalog, estimate: estimate, at: now)
      }
      if var own {
        own.candidate = position
        decision.deny(own, atMost: question.maximumDenials)
      } else if isTagFree {
        decision.allowed.append(position)
      } else {
        decision.denyByTags(candidate: position, atMost: question.maximumDenials)
      }
    }
  }

  private func denial(
    by slot: Int32, _ scope: BudgetScope, in catalog: BudgetCatalog, estimate: PicoUSD,
    at now: Timestamp
  ) -> BudgetDenial? {
    let limit = catalog.limits[Int(slot)]
    if limit == BudgetCatalog.unlimited { return nil }
    let (spend, withheld, resetsAt) = shards.standing(of: slot, at: now)
    guard Self.denies(spend, limit: limit, estimate: estimate) else { return nil }
    return BudgetDenial(
      candidate: 0, scope: scope, slot: slot, spend: spend, withheld: withheld, limit: limit,
      resetsAt: resetsAt)
  }

  /// Whether a budget denies a request of this estimate when `spend` is compared with its limit.
  @inline(__always)
  static func denies(_ spend: PicoUSD, limit: PicoUSD, estimate: PicoUSD) -> Bool {
    spend >= limit || spend + estimate > limit
  }
}
