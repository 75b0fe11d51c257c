/// A deployment as clients send it, and read it where the server supplied the candidates.
public struct DeploymentMessage: Hashable, Sendable {
  /// LiteLLM's `model_info.id`.
  public var id: String
  /// The public name, its model group.
  public var modelName: String
  /// `litellm_params.model`.
  public var model: String
  /// The explicit provider; empty = derived from `model`.
  public var provider: String

  /// A deployment; what is not given is absent.
  public init(id: String = "", modelName: String = "", model: String = "", provider: String = "") {
    self.id = id
    self.modelName = modelName
    self.model = model
    self.provider = provider
  }
}
