public import BudgetModel

/// A filter request, resolved to slots. Reused from request to request.
public struct FilterQuestion: Sendable {
  /// The candidates' slots, in the request's order.
  public private(set) var candidates: [CandidateSlots] = []
  /// Whether any of them costs nothing.
  public private(set) var hasFree = false
  /// How many of their providers are others than the model list's for the deployment.
  public private(set) var contradictions = 0
  /// The slots of the request's budgeted tags, each once.
  public private(set) var tags: [Int32] = []
  /// The expected cost of the request; zero: not known.
  public var estimate = PicoUSD.zero
  /// How many denials to list; the rest is counted.
  public var maximumDenials = Int.max

  /// Makes an empty question.
  public init() {}

  /// Empties the question and keeps its storage.
  public mutating func begin() {
    // Also of an empty array it would cost a call.
    if !candidates.isEmpty { candidates.removeAll(keepingCapacity: true) }
    contradictions = 0
    hasFree = false
    if !tags.isEmpty { tags.removeAll(keepingCapacity: true) }
    estimate = .zero
  }

  /// Adds a candidate behind those that are there.
  public mutating func add(_ candidate: CandidateSlots) {
    candidates.append(candidate)
    if candidate.contradictsModelList { contradictions += 1 }
    if candidate.isFree { hasFree = true }
  }

  /// Adds candidates that were resolved before; `contradictions` of them are.
  public mutating func add(
    contentsOf slots: [CandidateSlots], contradictions: Int, hasFree: Bool
  ) {
    candidates.append(contentsOf: slots)
    self.contradictions += contradictions
    self.hasFree = self.hasFree || hasFree
  }

  /// Becomes a copy of `other` in its own storage.
  public mutating func copy(_ other: borrowing FilterQuestion) {
    begin()
    candidates.append(contentsOf: other.candidates)
    contradictions = other.contradictions
    hasFree = other.hasFree
    tags.append(contentsOf: other.tags)
    estimate = other.estimate
    maximumDenials = other.maximumDenials
  }

  /// Whether any budget of `catalog` has a say.
  public func hasBudget(in catalog: BudgetCatalog) -> Bool {
    !tags.isEmpty || catalog.totalSlot != Slot.none
      || candidates.contains {
        $0.hasProviderBudget || $0.hasDeploymentBudget || $0.hasSharedBudget
      }
  }

  /// Adds a budgeted tag by its first slot, unless it is there: a repeated tag counts once.
  public mutating func addTag(slot: Int32) {
    if !tags.contains(slot) { tags.append(slot) }
  }
}
