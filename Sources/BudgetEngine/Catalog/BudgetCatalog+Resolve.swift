public import BudgetModel

extension BudgetCatalog {
  /// The slots of a candidate, or of what a record is charged to: one rule for both, so that spend
  /// is counted where it is looked for.
  ///
  /// The provider: the explicit one; else, where the model list has the id, that deployment's,
  /// whatever `model` says (none, where it has none); else the one derived from `model`.
  ///
  /// The public model name: the given one, by whatever alias; else the model group of the deployment,
  /// unless that is a pattern; else `model`.
  public func candidate(_ names: CandidateNames) -> CandidateSlots {
    var slots = configuredCandidate(names)
    if !frozen.isEmpty { addFrozen(names, to: &slots) }
    return slots
  }

  /// Names that are frozen stand where the candidate has no budgets.
  private func addFrozen(_ names: CandidateNames, to slots: inout CandidateSlots) {
    if slots.deployment == Slot.none { slots.deployment = frozen.slot(.deployment, names.id) }
    withBudgetedNames(names) { provider, model in
      if slots.provider == Slot.none { slots.provider = frozen.slot(.provider, provider) }
      if slots.model == Slot.none { slots.model = frozen.slot(.model, model) }
    }
  }

  private func configuredCandidate(_ names: CandidateNames) -> CandidateSlots {
    let configured = names.id.isEmpty ? nil : deployments.indexes[names.id]
    let listed = configured.map { deploymentCandidates[Int($0)] }
    if let listed, names.provider.isEmpty,
      !asksModelNames || names.modelName.isEmpty && !listed.servesPattern
    {
      return listed
    }
    var slots = provided(names, listed, configured)
    slots.deployment = listed?.deployment ?? strangerSlots?[names.id] ?? Slot.none
    slots.isFree = listed?.isFree ?? false
    if !pools.isEmpty { slots.pools |= pools.deployments.pools(of: names.id) }
    if asksModelNames { addModel(names, configured, to: &slots) }
    return slots
  }

  /// The public model name whose budgets `candidate(names)` looks for; empty: none's.
  public func budgetedModel(of names: CandidateNames) -> String {
    var text = ""
    withBudgetedNames(names) { _, model in text = model.text }
    return text
  }

  /// Calls `body` with the provider and the public model name whose budgets `candidate(names)` looks
  /// for; absent if the request has none.
  func withBudgetedNames(_ names: CandidateNames, _ body: (NameBytes, NameBytes) -> Void) {
    let configured = names.id.isEmpty ? nil : deployments.indexes[names.id]
    func withModel(_ provider: NameBytes) {
      if !names.modelName.isEmpty {
        return withGroupName(names.modelName) { body(provider, $0) }
      }
      guard let configured, !deploymentCandidates[Int(configured)].servesPattern else {
        return body(provider, names.model)
      }
      NameBytes.with(deployments.modelName(at: Int(configured))) { body(provider, $0) }
    }
    if !names.provider.isEmpty { return withModel(names.provider) }
    let listed =
      if let configured {
        deployments.provider(at: Int(configured))
      } else {
        directory.provider(ofModel: names.model).map { directory.names[Int($0)] }
      }
    NameBytes.with(listed ?? "", withModel)
  }

  /// The provider's part of a candidate's slots.
  private func provided(
    _ names: CandidateNames, _ listed: CandidateSlots?, _ configured: Int32?
  ) -> CandidateSlots {
    if names.provider.isEmpty {
      if let configured {
        return NameBytes.with(deployments.provider(at: Int(configured)) ?? "") { ofProvider($0) }
      }
      return directory.provider(ofModel: names.model).map { directoryCandidates[Int($0)] } ?? .none
    }
    var slots = ofProvider(names.provider)
    guard let listed, let configured, listed.hasProvider else { return slots }
    // Budgets of both tell them apart: no text to compare.
    slots.contradictsModelList =
      listed.provider != Slot.none && slots.provider != Slot.none
      ? listed.provider != slots.provider : !isProvider(names.provider, ofDeployment: configured)
    return slots
  }

  private func ofProvider(_ name: NameBytes) -> CandidateSlots {
    if name.isEmpty { return .none }
    return CandidateSlots(
      provider: providerSlots[name] ?? Slot.none, deployment: Slot.none, hasProvider: true,
      pools: pools.isEmpty ? 0 : pools.providers.pools(of: name))
  }

  /// Adds the budgets of the public model name.
  private func addModel(
    _ names: CandidateNames, _ configured: Int32?, to slots: inout CandidateSlots
  ) {
    func add(_ name: NameBytes) {
      slots.model = modelSlots[name] ?? Slot.none
      slots.pools |= pools.models.pools(of: name)
    }
    if !names.modelName.isEmpty { return withGroupName(names.modelName, add) }
    guard let configured, !deploymentCandidates[Int(configured)].servesPattern else {
      return add(names.model)
    }
    NameBytes.with(deployments.modelName(at: Int(configured)), add)
  }

  /// Calls `body` with the name of the model group that `name` is an alias of, or with `name`.
  private func withGroupName(_ name: NameBytes, _ body: (NameBytes) -> Void) {
    guard modelGroups.hasAliases else { return body(name) }
    NameBytes.with(modelGroups.publicName(of: name.text), body)
  }

  /// The provider that the model list names for the deployment `id`; nil where it names none.
  public func listedProvider(ofDeployment id: NameBytes) -> String? {
    deployments.indexes[id].flatMap { deployments.provider(at: Int($0)) }
  }

  /// The slot of the tag's budget; nil where it has none.
  public func tagSlot(_ tag: NameBytes) -> Int32? {
    if let slot = tagSlots[tag] { return slot }
    guard !frozen.isEmpty else { return nil }
    let slot = frozen.slot(.tag, tag)
    return slot == Slot.none ? nil : slot
  }

  /// The positions in `deployments` of what a requested model name stands for, in the file's order, as
  /// LiteLLM's router finds it: a model group, an alias, a pattern, an id, a model; nil: nothing.
  public func group(_ name: NameBytes) -> ArraySlice<Int32>? {
    if !modelGroups.hasAliases, let group = deployments.groupIndexes[name] {
      return deployments.members(ofGroup: group)
    }
    switch modelGroups.meaning(of: name.text, in: deployments) {
    case .group(let group):
      return NameBytes.with(group) { deployments.groupIndexes[$0] }.map {
        deployments.members(ofGroup: $0)
      }
    case .deployment(let id): return NameBytes.with(id) { deployments.indexes[$0] }.map { [$0] }
    case .model(let model): return deployments.members(ofModel: model)
    case nil: return nil
    }
  }

  /// The slots of the entry at `index` of `deployments` for a request of the public name `name`.
  public func candidate(at index: Int32, askedAs name: NameBytes) -> CandidateSlots {
    let slots = deploymentCandidates[Int(index)]
    if !asksModelNames, frozen.isEmpty { return slots }
    return deployments.withID(at: Int(index)) { id in
      candidate(CandidateNames(id: id, modelName: name, model: .absent, provider: .absent))
    }
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
