import BudgetWire

/// A deployment: one model at one provider that a request could go to.
public struct Deployment: Hashable, Sendable {
  /// LiteLLM's `model_info.id`, which deployments' budgets go by.
  public var id: String
  /// The public name, its model group.
  public var modelName: String
  /// `litellm_params.model`, such as `openai/gpt-4o`.
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

  init(_ message: DeploymentMessage) {
    self.init(
      id: message.id, modelName: message.modelName, model: message.model,
      provider: message.provider)
  }

  var message: DeploymentMessage {
    DeploymentMessage(id: id, modelName: modelName, model: model, provider: provider)
  }
}
