public import BudgetModel

/// A filter request, resolved to slots. Reused from request to request.
public struct FilterQuestion: Sendable {
  /// The candidates' slots, in the request's order.
  public private(set) var candidates: [CandidateSlots] = []
  /// Whether any of them costs nothing.
  public private(set) var hasFree = false
  /// How many of their providers are others than the model list's for the deployment.
  public private(set) var contradictions = 0
  /// The slots of the request's budgeted tags, each once; below `Slot.none` a place in `named`.
  public private(set) var tags: [Int32] = []
  /// The tags that patterns have a say about.
  private(set) var named: [NamedBudgets] = []
  /// The dynamic budgets of all names.
  private(set) var checks: [DynamicCheck] = []
  /// The dynamic budgets of each candidate; empty where no pattern is of providers or models.
  private(set) var candidateChecks: [CandidateChecks] = []
  /// Whether a name of the request matched a pattern: another time other budgets may be asked.
  public private(set) var dependsOnPatterns = false
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
    guard dependsOnPatterns else { return }
    if !named.isEmpty { named.removeAll(keepingCapacity: true) }
    if !checks.isEmpty { checks.removeAll(keepingCapacity: true) }
    if !candidateChecks.isEmpty { candidateChecks.removeAll(keepingCapacity: true) }
    dependsOnPatterns = false
  }

  /// Adds a candidate behind those that are there.
  public mutating func add(_ candidate: CandidateSlots) {
    candidates.append(candidate)
    if candidate.contradictsModelList { contradictions += 1 }
    if candidate.isFree { hasFree = true }
  }

  /// Adds candidates that were resolved before; `contradictions` of them are.
  public mutating func add(
    contentsOf slots: borrowing [CandidateSlots], contradictions: Int, hasFree: Bool
  ) {
    candidates.append(lent: slots.span)
    self.contradictions += contradictions
    self.hasFree = self.hasFree || hasFree
  }

  /// Becomes a copy of `other` in its own storage. Precondition: no pattern has a say in it, since
  /// dynamic budgets come and go.
  public mutating func copy(_ other: borrowing FilterQuestion) {
    precondition(!other.dependsOnPatterns, "dynamic budgets are not remembered")
    begin()
    candidates.append(lent: other.candidates.span)
    contradictions = other.contradictions
    hasFree = other.hasFree
    tags.append(lent: other.tags.span)
    estimate = other.estimate
    maximumDenials = other.maximumDenials
  }

  /// Whether any budget of `catalog` has a say.
  public func hasBudget(in catalog: BudgetCatalog) -> Bool {
    !tags.isEmpty || catalog.totalSlot != Slot.none || dependsOnPatterns
      || candidates.contains {
        $0.hasProviderBudget || $0.hasDeploymentBudget || $0.hasSharedBudget
      }
  }

  /// Adds a budgeted tag by its first slot, unless it is there: a repeated tag counts once.
  public mutating func addTag(slot: Int32) {
    if !tags.contains(slot) { tags.append(slot) }
  }

  /// The request's names match patterns, whether they have dynamic budgets or not.
  mutating func noteDependence() { dependsOnPatterns = true }

  /// Adds a dynamic budget to those of the name that is being read.
  mutating func add(_ check: DynamicCheck) { checks.append(check) }

  /// Puts the checks of one name, from `start` on, in the order of `group`, the patterns that match
  /// it: the live budgets, and what would be made for the others. A window that the name's entries
  /// have is theirs.
  mutating func arrangeChecks(
    from start: Int, _ group: Range<Int>, _ patterns: CatalogPatterns, entries: [WindowRule]
  ) {
    let end = checks.count
    for place in group {
      let number = patterns.members[place]
      let rule = patterns.definitions[Int(number)].rule
      if entries.contains(where: { $0.isLike(rule) }) { continue }
      checks.append(
        checks[start..<end].first { $0.pattern == number }
          ?? DynamicCheck(slot: Slot.none, life: 0, pattern: number))
    }
    checks.removeSubrange(start..<end)
  }

  /// Adds a tag with its dynamic budgets, those of `checks` from `start` on, and its other ones from
  /// slot `first` on, unless it is there.
  /// `hash` tells the tag from others: two may be judged by the same patterns.
  mutating func addTag(first: Int32, checksFrom start: Int, hash: UInt64) {
    let tag = NamedBudgets(first: first, checks: start..<checks.count, hash: hash)
    if tag.checks.isEmpty {
      if first != Slot.none { addTag(slot: first) }
      return
    }
    if named.contains(where: { $0.hash == hash && $0.first == first }) {
      return checks.removeSubrange(tag.checks)
    }
    tags.append(Slot.none - 1 - Int32(named.count))
    named.append(tag)
  }

  /// Notes the dynamic budgets of the candidate that was added last, whose provider's are in
  /// `checks` from `start` to `middle` and whose model's from there on.
  mutating func setCandidateChecks(from start: Int, middle: Int) {
    while candidateChecks.count + 1 < candidates.count { candidateChecks.append(CandidateChecks()) }
    candidateChecks.append(
      CandidateChecks(provider: start..<middle, model: middle..<checks.count))
  }
}

/// A dynamic budget that is to be asked.
struct DynamicCheck: Hashable, Sendable {
  /// `Slot.none`: the name has none yet, and is judged as one that has spent nothing.
  var slot: Int32
  /// The slot's life in which it is this budget's.
  var life: UInt32
  /// The number of the pattern in the catalog.
  var pattern: Int32
}

/// The budgets of one name.
struct NamedBudgets: Sendable {
  /// The first slot of its entries, or `Slot.none`.
  var first: Int32
  /// The places of its dynamic budgets in the question's `checks`.
  var checks: Range<Int>
  /// The name's, by a seed that nobody knows.
  var hash: UInt64 = 0
}

/// The dynamic budgets of a candidate, as places in the question's `checks`.
struct CandidateChecks: Sendable {
  var provider = 0..<0
  var model = 0..<0
}
