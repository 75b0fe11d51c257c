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
