public import BudgetModel

extension BudgetCatalog {
  /// The slots of a candidate, or of what a record is charged to: one rule for both, so that spend
  /// is counted where it is looked for.
  ///
  /// The provider: the explicit one; else, where the model list has `id`, that deployment's,
  /// whatever `model` says (none, where it has none); else the one derived from `model`.
  public func candidate(id: NameBytes, model: NameBytes, provider: NameBytes) -> CandidateSlots {
    let configured = id.isEmpty ? nil : deployments.indexes[id]
    let listed = configured.map { deploymentCandidates[Int($0)] }
    if let listed, provider.isEmpty { return listed }
    var slots = CandidateSlots(
      provider: Slot.none, deployment: listed?.deployment ?? Slot.none,
      hasProvider: !provider.isEmpty)
    if provider.isEmpty {
      guard let index = directory.provider(ofModel: model) else { return slots }
      slots.provider = directorySlots[Int(index)]
      slots.hasProvider = true
      return slots
    }
    slots.provider = providerSlots[provider] ?? Slot.none
    guard let listed, let configured, listed.hasProvider else { return slots }
    // The same budget is the same name: no text to compare.
    slots.contradictsModelList =
      (listed.provider != slots.provider || listed.provider == Slot.none)
      && !isProvider(provider, ofDeployment: configured)
    return slots
  }

  /// The provider that the model list names for the deployment `id`; nil where it names none.
  public func listedProvider(ofDeployment id: NameBytes) -> String? {
    deployments.indexes[id].flatMap { deployments.provider(at: Int($0)) }
  }

  /// The slot of the tag's budget; nil where it has none.
  public func tagSlot(_ tag: NameBytes) -> Int32? { tagSlots[tag] }

  /// The positions in `deployments` of the model group `name`, in the file's order; nil where the
  /// model list has no such group.
  public func group(_ name: NameBytes) -> ArraySlice<Int32>? {
    deployments.groupIndexes[name].map { deployments.members(ofGroup: $0) }
  }

  /// The slots of the entry at `index` of `deployments`.
  public func candidate(at index: Int32) -> CandidateSlots { deploymentCandidates[Int(index)] }

  private func isProvider(_ provider: NameBytes, ofDeployment index: Int32) -> Bool {
    guard let listed = deployments.provider(at: Int(index)) else { return false }
    return NameBytes.with(listed) { $0 == provider }
  }
}

extension BudgetCatalog {
  /// The name of the provider whose budget `candidate(id:model:provider:)` looks at, whether it has
  /// one or not; nil where no provider is given and none follows. For people: it builds a text.
  public func providerName(id: NameBytes, model: NameBytes, provider: NameBytes) -> String? {
    if !provider.isEmpty { return provider.text }
    if let configured = id.isEmpty ? nil : deployments.indexes[id] {
      return deployments.provider(at: Int(configured))
    }
    return directory.provider(ofModel: model).map { directory.names[Int($0)] }
  }
}
