/// The budgets that one cost is charged to, each once. Reused from request to request.
public struct ChargedSlots: Sendable {
  /// The slots, the provider's first, then the deployment's, then the tags'.
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

  /// Adds the candidate's provider and deployment, where they have budgets.
  public mutating func add(_ candidate: CandidateSlots) {
    if candidate.provider != Slot.none { slots.append(candidate.provider) }
    if candidate.deployment != Slot.none { slots.append(candidate.deployment) }
    contradictsModelList = candidate.contradictsModelList
  }

  /// Adds a tag's budget, unless it is there: a repeated tag is charged once.
  public mutating func addTag(slot: Int32) {
    if !slots.contains(slot) { slots.append(slot) }
  }
}
