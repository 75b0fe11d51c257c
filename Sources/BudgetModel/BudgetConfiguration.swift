/// Everything the engine takes from a configuration: what is budgeted, and how names resolve.
public struct BudgetConfiguration: Sendable {
  /// Every budget, providers first, then deployments, then tags, each in the file's order. Keys of
  /// one scope and name occur once.
  public var budgets: [BudgetDefinition]
  /// Every entry of the model list, in the file's order.
  public var deployments: [ConfiguredDeployment]
  /// How the provider of a model is found.
  public var directory: ProviderDirectory

  /// Makes a configuration from its three parts.
  public init(
    budgets: [BudgetDefinition], deployments: [ConfiguredDeployment], directory: ProviderDirectory
  ) {
    self.budgets = budgets
    self.deployments = deployments
    self.directory = directory
  }
}

/// One configured budget: a limit in dollars for a scope over a window.
public struct BudgetDefinition: Hashable, Sendable {
  /// The budget's identity.
  public var key: BudgetKey
  /// How long a window lasts; the parsed form of `key.windowText`.
  public var windowLength: WindowLength
  /// The limit. Nil: unlimited. Zero: nothing may be spent.
  public var limit: PicoUSD?

  /// Makes a budget; `windowLength` is what `key.windowText` parses to.
  public init(key: BudgetKey, windowLength: WindowLength, limit: PicoUSD?) {
    self.key = key
    self.windowLength = windowLength
    self.limit = limit
  }
}

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
