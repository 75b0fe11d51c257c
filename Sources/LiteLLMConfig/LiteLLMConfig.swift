public import BudgetModel
public import Documents

/// A configuration that was read and accepted.
public struct LiteLLMConfig: Sendable {
  /// The part that the engine takes.
  public let budgets: BudgetConfiguration
  /// The Redis that they are shared through; nil: none.
  public let redis: RedisSource?
  /// When operators are told of budgets, and by which webhook; nil: never.
  public let alerts: AlertSettings?
  /// The facts of each entry of `budgets.deployments`, in the same order.
  public let deploymentFacts: [DeploymentFacts]
  /// Budgets of deployments whose ids cannot be known here: nothing is charged to them.
  public let waitingBudgets: [WaitingBudget]
  /// The names of the files that were included, in the order in which they were read.
  public let includedFiles: [String]
  /// Settings that are accepted but may not be meant, in the order of the lines.
  public let warnings: [DocumentProblem]
}

/// The facts that a model list has of one deployment beside its names.
public struct DeploymentFacts: Hashable, Sendable {
  /// Whether the file gives no id, so that it is computed from the name and the parameters.
  public var hasComputedID: Bool
  /// Why LiteLLM's proxy goes on without this deployment; nil: it has it.
  public var droppedBecause: String?
  /// The place of the entry in the model list, from 0.
  public var index: Int
}

/// A deployment's budget that nothing can be charged to, since LiteLLM's id of the deployment
/// depends on what is not known here.
public struct WaitingBudget: Hashable, Sendable {
  /// The public name of the deployment.
  public var modelName: String
  /// Its `litellm_params.model`.
  public var model: String
  /// Nil: unlimited.
  public var limit: PicoUSD?
  /// The window, as it is written.
  public var windowText: String
  /// Why the id is not known, such as `NAME is not set`.
  public var reason: String
}
