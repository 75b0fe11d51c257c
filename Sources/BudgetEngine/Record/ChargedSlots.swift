/// The budgets that one cost is charged to, each once. Reused from request to request.
public struct ChargedSlots: Sendable {
  /// The slots: provider's, deployment's, model's, pools', tags', the total's.
  public private(set) var slots: [Int32] = []
  /// Whether the provider is another than the model list's for the deployment.
  public private(set) var contradictsModelList = false

  /// Makes an empty list.
  public init() {}

  /// Empties the list and keeps its storage.
  public mutating func begin() {
    if !slots.isEmpty { slots.removeAll(keepingCapacity: true) }
    contradictsModelList = false
  }

  /// Becomes a copy of `other` in its own storage.
  public mutating func copy(_ other: borrowing ChargedSlots) {
    begin()
    for index in other.slots.indices { slots.append(other.slots[index]) }
    contradictsModelList = other.contradictsModelList
  }

  /// Adds all budgets of the candidate's provider, deployment, model and pools.
  public mutating func add(_ candidate: CandidateSlots, in catalog: BudgetCatalog) {
    if candidate.provider != Slot.none { addAll(from: candidate.provider, in: catalog) }
    if candidate.deployment != Slot.none { addAll(from: candidate.deployment, in: catalog) }
    if candidate.hasSharedBudget {
      if candidate.model != Slot.none { addAll(from: candidate.model, in: catalog) }
      catalog.pools.forEachSlot(of: candidate.pools) { addAll(from: $0, in: catalog) }
    }
    contradictsModelList = candidate.contradictsModelList
  }

  /// Adds a tag's budgets, unless they are there: a repeated tag is charged once.
  public mutating func addTag(slot: Int32, in catalog: BudgetCatalog) {
    if !slots.contains(slot) { addAll(from: slot, in: catalog) }
  }

  /// Adds the budgets of everything together.
  public mutating func addTotal(in catalog: BudgetCatalog) {
    if catalog.totalSlot != Slot.none { addAll(from: catalog.totalSlot, in: catalog) }
  }

  /// Adds the budgets of one name, from its first slot on.
  private mutating func addAll(from first: Int32, in catalog: BudgetCatalog) {
    slots.append(first)
    var slot = catalog.next(after: first)
    while slot != Slot.none {
      slots.append(slot)
      slot = catalog.next(after: slot)
    }
  }
}
