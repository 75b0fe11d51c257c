/// The slots that a candidate is checked against.
public struct CandidateSlots: Hashable, Sendable {
  /// The provider's budget, or `Slot.none`.
  var provider: Int32
  /// The deployment's budget, or `Slot.none`.
  var deployment: Int32
  /// Whether a provider was named or derived, budgeted or not.
  public var hasProvider: Bool
  /// Whether the request names another provider than the model list does for the deployment.
  public var contradictsModelList = false

  /// Nothing to be checked against.
  public static let none = CandidateSlots(
    provider: Slot.none, deployment: Slot.none, hasProvider: false)

  /// Whether the provider has a budget.
  public var hasProviderBudget: Bool { provider != Slot.none }
  /// Whether the deployment has a budget.
  public var hasDeploymentBudget: Bool { deployment != Slot.none }
}
