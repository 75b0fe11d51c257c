import BudgetEngine
import BudgetModel
import BudgetWire

/// Resolves the names of one request, and counts those that can match nothing. Tags come from end
/// users: a strange name must neither stop traffic nor keep real spend from being recorded.
///
/// Findings count when the request has been read: a reading that has to begin again counts once.
struct RequestNames {
  private let counters: ServiceCounters
  private let contradictions: ProviderContradictions
  /// By field and fault, then models without a provider.
  private var found = InlineArray<13, Int32>(repeating: 0)
  /// Whether anything was found in the request: what was must be found again when it comes again.
  private(set) var hasFindings = false

  private static let unresolvedModel = 12

  init(counters: ServiceCounters, contradictions: ProviderContradictions) {
    self.counters = counters
    self.contradictions = contradictions
  }

  /// Begins to read a request.
  @inline(__always)
  mutating func begin() { if hasFindings { forget() } }

  /// Counts what was found: the request has been read.
  @inline(__always)
  mutating func count() { if hasFindings { addFindings() } }

  /// The name if it can match a budget; absent if it cannot.
  @inline(__always)
  mutating func usable(_ name: NameBytes, as field: NameField) -> NameBytes {
    guard let fault = name.fault else { return name }
    note(field.rawValue * NameFault.allCases.count + Int(fault.rawValue))
    return .absent
  }

  /// The budgets that a candidate is checked against, or that a record is charged to: one rule for
  /// both.
  mutating func slots(
    _ names: CandidateNames, in catalog: BudgetCatalog
  ) -> CandidateSlots {
    var names = names
    // An explicit provider needs no derivation, so the model may be anything.
    names.model =
      names.provider.isEmpty || catalog.asksModelNames ? usable(names.model, as: .model) : .absent
    if catalog.asksModelNames { names.modelName = usable(names.modelName, as: .model) }
    var slots = catalog.candidate(names)
    if !slots.hasProvider, !names.model.isEmpty { note(Self.unresolvedModel) }
    if !slots.hasDeploymentBudget { _ = usable(names.id, as: .deployment) }
    let explicit = slots.hasProviderBudget ? names.provider : usable(names.provider, as: .provider)
    if slots.contradictsModelList {
      // A name that is unusable says nothing about a provider.
      slots.contradictsModelList = !explicit.isEmpty
      contradictions.note(
        deployment: names.id, listed: catalog.listedProvider(ofDeployment: names.id),
        given: explicit)
    }
    return slots
  }

  private mutating func note(_ place: Int) {
    hasFindings = true
    found[place] += 1
  }

  private mutating func forget() {
    hasFindings = false
    found = InlineArray(repeating: 0)
  }

  private mutating func addFindings() {
    for field in NameField.allCases {
      for fault in NameFault.allCases {
        let place = field.rawValue * NameFault.allCases.count + Int(fault.rawValue)
        if found[place] > 0 { counters.countUnusable(field, fault, times: Int(found[place])) }
      }
    }
    let unresolved = found[Self.unresolvedModel]
    if unresolved > 0 { counters.countUnresolvedModels(Int(unresolved)) }
    forget()
  }
}
