/// Everything the engine takes from a configuration: what is budgeted, and how names resolve.
public struct BudgetConfiguration: Sendable {
  /// Every budget that is named, scope by scope in the order of `BudgetScope.inOrder`, each scope's in
  /// the file's order. A name's budgets need not be neighbours; LiteLLM's own comes first of them.
  /// Each key occurs once.
  public var budgets: [BudgetDefinition]
  /// Budgets that every matching name gets for itself, longest prefix first within a scope.
  public var patterns: [BudgetPattern]
  /// The members of each pool. Each pool that `budgets` names is here.
  public var pools: [PoolMembers]
  /// Every entry of the model list, in the file's order.
  public var deployments: [ConfiguredDeployment]
  /// Other names of model groups: alias to model group, as LiteLLM's `model_group_alias`.
  public var aliases: [String: String]
  /// How the provider of a model is found.
  public var directory: ProviderDirectory
  /// The answer to a filter about a name whose budget would be one too many.
  public var dynamicBudgetsFull = DynamicBudgetsFull.open

  /// Makes a configuration from its parts.
  public init(
    budgets: [BudgetDefinition], patterns: [BudgetPattern] = [], pools: [PoolMembers] = [],
    deployments: [ConfiguredDeployment], aliases: [String: String] = [:],
    directory: ProviderDirectory
  ) {
    self.budgets = budgets
    self.patterns = patterns
    self.pools = pools
    self.deployments = deployments
    self.aliases = aliases
    self.directory = directory
  }
}

/// The answer to a filter about a name that matches a pattern, where no more dynamic budgets fit.
public enum DynamicBudgetsFull: String, CaseIterable, Hashable, Sendable {
  /// The name is not denied.
  case open
  /// The name is denied.
  case deny
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
  /// Whether its configured prices are all 0.
  public var isFree: Bool

  /// Makes an entry from its parts.
  public init(
    id: String, modelName: String, model: String, provider: String?, isFree: Bool = false
  ) {
    self.id = id
    self.modelName = modelName
    self.model = model
    self.provider = provider
    self.isFree = isFree
  }
}
