public import BudgetModel

/// What a filter request asks, resolved to slots. Reused from request to request.
public struct FilterQuestion: Sendable {
  /// The candidates' slots, in the request's order.
  public private(set) var candidates: [CandidateSlots] = []
  /// How many of their providers are others than the model list's for the deployment.
  public private(set) var contradictions = 0
  /// The slots of the request's budgeted tags, each once.
  public private(set) var tags: [Int32] = []
  /// What the request is expected to cost; zero: not known.
  public var estimate = PicoUSD.zero
  /// How many denials to list; the rest is counted.
  public var maximumDenials = Int.max

  /// Makes an empty question.
  public init() {}

  /// Empties the question and keeps its storage.
  public mutating func begin() {
    candidates.removeAll(keepingCapacity: true)
    contradictions = 0
    tags.removeAll(keepingCapacity: true)
    estimate = .zero
  }

  /// Adds a candidate behind those that are there.
  public mutating func add(_ candidate: CandidateSlots) {
    candidates.append(candidate)
    if candidate.contradictsModelList { contradictions += 1 }
  }

  /// Adds candidates that were resolved before; `contradictions` of them are.
  public mutating func add(contentsOf slots: [CandidateSlots], contradictions: Int) {
    candidates.append(contentsOf: slots)
    self.contradictions += contradictions
  }

  /// Becomes a copy of `other` in its own storage.
  public mutating func copy(_ other: borrowing FilterQuestion) {
    begin()
    candidates.append(contentsOf: other.candidates)
    contradictions = other.contradictions
    tags.append(contentsOf: other.tags)
    estimate = other.estimate
    maximumDenials = other.maximumDenials
  }

  /// Whether any budget has a say.
  public var hasBudget: Bool {
    !tags.isEmpty || candidates.contains { $0.hasProviderBudget || $0.hasDeploymentBudget }
  }

  /// Adds a budgeted tag, unless it is there: a repeated tag counts once.
  public mutating func addTag(slot: Int32) {
    if !tags.contains(slot) { tags.append(slot) }
  }
}

extension BudgetEngine {
  /// Decides which candidates may be used at `now`.
  ///
  /// A candidate is checked against its provider's budget, then its deployment's; the first that
  /// denies ends it with one finding. Those left are denied by each exhausted tag, with one finding
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
    for slot in question.tags where !(asksGates && catalog.isOpen(slot)) {
      if let denial = denial(by: slot, .tag, in: catalog, estimate: estimate, at: now) {
        decision.exhaustedTags.append(denial)
      }
    }
    let isTagFree = decision.exhaustedTags.isEmpty
    var provider = Slot.none
    var providerDenial: Denial?
    for (position, candidate) in question.candidates.enumerated() {
      let position = UInt32(truncatingIfNeeded: position)
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
  ) -> Denial? {
    let limit = catalog.limits[Int(slot)]
    if limit == BudgetCatalog.unlimited { return nil }
    let (spend, withheld, resetsAt) = shards.standing(of: slot, at: now)
    guard Self.denies(spend, limit: limit, estimate: estimate) else { return nil }
    return Denial(
      candidate: 0, scope: scope, slot: slot, spend: spend, withheld: withheld, limit: limit,
      resetsAt: resetsAt)
  }

  /// Whether a budget denies a request of this estimate when `spend` is compared with its limit.
  @inline(__always)
  static func denies(_ spend: PicoUSD, limit: PicoUSD, estimate: PicoUSD) -> Bool {
    spend >= limit || spend + estimate > limit
  }
}
