/// One entry of the configured `model_list`.
public struct ConfiguredDeployment: Hashable, Sendable {
  /// LiteLLM's `model_info.id`, or the id that LiteLLM computes where there is none.
  public var id: String
  /// The public name that callers ask for (`model_name`), its model group.
  public var modelName: String
  /// `litellm_params.model`, such as `openai/gpt-4o`.
  public var model: String
  /// The provider as derived at load. Nil: no rule names one, so no provider budget applies.
  public var provider: String?

  /// Makes an entry from its four parts.
  public init(id: String, modelName: String, model: String, provider: String?) {
    self.id = id
    self.modelName = modelName
    self.model = model
    self.provider = provider
  }
}
