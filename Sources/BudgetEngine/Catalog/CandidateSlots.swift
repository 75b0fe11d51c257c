public import BudgetModel

/// The slots that a candidate is checked against: of each name's budgets the first.
public struct CandidateSlots: Hashable, Sendable {
  /// The provider's budget, or `Slot.none`.
  var provider: Int32
  /// The deployment's budget, or `Slot.none`.
  var deployment: Int32
  /// The budget of the public model name, or `Slot.none`.
  var model = Slot.none
  /// Whether a provider was named or derived, budgeted or not.
  public var hasProvider: Bool
  /// Whether the request names another provider than the model list does for the deployment.
  public var contradictsModelList = false
  /// Whether it costs nothing: what is spent of model, pool, tag and total does not keep it out.
  public var isFree = false
  /// Whether its model group is a pattern: a pattern is not a public name.
  var servesPattern = false
  /// The pools that it belongs to, a bit each.
  var pools: UInt64 = 0

  /// Nothing to be checked against.
  public static let none = CandidateSlots(
    provider: Slot.none, deployment: Slot.none, hasProvider: false)

  /// Whether the provider has a budget.
  public var hasProviderBudget: Bool { provider != Slot.none }
  /// Whether the deployment has a budget.
  public var hasDeploymentBudget: Bool { deployment != Slot.none }
  /// Whether the model or a pool of the candidate has a budget.
  public var hasSharedBudget: Bool { model != Slot.none || pools != 0 }
}

/// The names of a candidate, or of what a record is charged to, as a request gives them.
public struct CandidateNames {
  /// The deployment's id.
  public var id: NameBytes
  /// The public model name that was asked for.
  public var modelName: NameBytes
  /// The provider's own name for the model.
  public var model: NameBytes
  /// The provider; absent: it follows from the others.
  public var provider: NameBytes

  /// Makes the names of one candidate.
  public init(
    id: NameBytes, modelName: NameBytes = .absent, model: NameBytes, provider: NameBytes
  ) {
    self.id = id
    self.modelName = modelName
    self.model = model
    self.provider = provider
  }
}
