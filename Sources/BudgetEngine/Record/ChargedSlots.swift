import BudgetModel

/// The budgets that one cost is charged to, each once. Reused from request to request.
public struct ChargedSlots: Sendable {
  /// The slots: provider's, deployment's, model's, pools', tags', the total's.
  public private(set) var slots: [Int32] = []
  /// The slots of frozen names without a budget among the cost's: nothing is charged there, and nothing
  /// may be reserved beside them.
  private(set) var frozen: [Int32] = []
  /// Whether the provider is another than the model list's for the deployment.
  public private(set) var contradictsModelList = false
  /// The slots that patterns give, with the lives of those that belong to dynamic budgets: charged
  /// only while they last.
  private(set) var lives: [DynamicPlace] = []
  /// Whether a name of the cost matched a pattern: another time it may be charged elsewhere.
  public internal(set) var dependsOnPatterns = false
  /// Whether the configuration that the names were looked up in is no longer in force, and a dynamic
  /// budget was to be made: all is to be looked up anew.
  public internal(set) var isStale = false

  /// A budget among `slots` that a pattern gives.
  struct DynamicPlace: Sendable {
    var slot: Int32
    /// 0: any.
    var life: UInt32
    /// The pattern's number in the catalog.
    var pattern: Int32
  }

  /// Makes an empty list.
  public init() {}

  /// Empties the list and keeps its storage.
  public mutating func begin() {
    if !slots.isEmpty { slots.removeAll(keepingCapacity: true) }
    if !frozen.isEmpty { frozen.removeAll(keepingCapacity: true) }
    contradictsModelList = false
    guard dependsOnPatterns else { return }
    if !lives.isEmpty { lives.removeAll(keepingCapacity: true) }
    dependsOnPatterns = false
    isStale = false
  }

  /// Becomes a copy of `other` in its own storage. Precondition: no pattern has a say in it, since
  /// dynamic budgets come and go.
  public mutating func copy(_ other: borrowing ChargedSlots) {
    precondition(!other.dependsOnPatterns, "dynamic budgets are not remembered")
    begin()
    for index in other.slots.indices { slots.append(other.slots[index]) }
    for index in other.frozen.indices { frozen.append(other.frozen[index]) }
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
    if !charges(slot) { addAll(from: slot, in: catalog) }
  }

  /// Adds one budget that a pattern gives, unless it is there. `life` 0: the slot is an entry's or
  /// the pattern's own, whatever its life.
  mutating func addDynamic(_ place: DynamicPlace) {
    if charges(place.slot) { return }
    slots.append(place.slot)
    lives.append(place)
  }

  /// Whether `slot` is one of them.
  @inline(__always)
  func charges(_ slot: Int32) -> Bool {
    let slots = slots.span
    for index in slots.indices where slots[index] == slot { return true }
    return false
  }

  /// The place of `slot` among all that are asked, those of frozen names last.
  func position(of slot: Int32) -> Int32 {
    let place = slots.firstIndex(of: slot) ?? slots.count + (frozen.firstIndex(of: slot) ?? 0)
    return Int32(truncatingIfNeeded: place)
  }

  /// The pattern that gives `slot`; nil: an entry does.
  func pattern(of slot: Int32) -> Int32? { place(of: slot)?.pattern }

  /// The life that `slot` has to be in; 0: any.
  func life(of slot: Int32) -> UInt32 { place(of: slot)?.life ?? 0 }

  @inline(__always)
  private func place(of slot: Int32) -> DynamicPlace? {
    // Lent: `first(where:)` would count a reference to the list, which mostly is empty.
    let lives = lives.span
    for index in lives.indices where lives[index].slot == slot { return lives[index] }
    return nil
  }

  /// Adds the budgets of everything together.
  public mutating func addTotal(in catalog: BudgetCatalog) {
    if catalog.totalSlot != Slot.none { addAll(from: catalog.totalSlot, in: catalog) }
  }

  /// Adds the budgets of one name, from its first slot on.
  private mutating func addAll(from first: Int32, in catalog: BudgetCatalog) {
    // A frozen name without a budget is asked, and never charged.
    if catalog.frozen.contains(first) {
      if !frozen.contains(first) { frozen.append(first) }
      return
    }
    slots.append(first)
    var slot = catalog.next(after: first)
    while slot != Slot.none {
      slots.append(slot)
      slot = catalog.next(after: slot)
    }
  }
}
