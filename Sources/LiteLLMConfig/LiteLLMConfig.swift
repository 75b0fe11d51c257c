public import BudgetModel

/// A configuration that was read and accepted.
public struct LiteLLMConfig: Sendable {
  /// What the engine takes from it.
  public let budgets: BudgetConfiguration
  /// The Redis that they are shared through; nil: none.
  public let redis: RedisSource?
  /// What is accepted but may not be what was meant, in the order of the lines.
  public let warnings: [ConfigProblem]
}
