public import BudgetModel

extension BudgetCatalog {
  /// The slots of a candidate as a request names it.
  ///
  /// The provider: the explicit one; else, where `id` is a configured deployment and `model` is
  /// absent or that deployment's own, the one found for it at load (which knows its
  /// `custom_llm_provider` and `api_base`); else the one derived from `model`.
  public func candidate(id: NameBytes, model: NameBytes, provider: NameBytes) -> CandidateSlots {
    let configured = id.isEmpty ? nil : deployments.indexes[id]
    var slots = CandidateSlots(
      provider: Slot.none, deployment: Slot.none, hasProvider: !provider.isEmpty)
    if let configured { slots.deployment = deploymentCandidates[Int(configured)].deployment }
    if !provider.isEmpty {
      slots.provider = providerSlots[provider] ?? Slot.none
    } else if let configured, model.isEmpty || isModel(ofDeployment: configured, model) {
      let known = deploymentCandidates[Int(configured)]
      slots.provider = known.provider
      slots.hasProvider = known.hasProvider
    } else if let index = directory.provider(ofModel: model) {
      slots.provider = directorySlots[Int(index)]
      slots.hasProvider = true
    }
    return slots
  }

  /// The slots that a record charges.
  ///
  /// The provider is the one the record names, or the one that follows from its model. Where it
  /// gives neither, no provider is charged (as in LiteLLM), even if the deployment is configured.
  public func chargedCandidate(
    id: NameBytes, model: NameBytes, provider: NameBytes
  ) -> CandidateSlots {
    var slots = candidate(id: id, model: model, provider: provider)
    if provider.isEmpty, model.isEmpty {
      slots.provider = Slot.none
      slots.hasProvider = false
    }
    return slots
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

  private func isModel(ofDeployment index: Int32, _ model: NameBytes) -> Bool {
    NameBytes.with(deployments.model(at: Int(index))) { $0 == model }
  }
}
