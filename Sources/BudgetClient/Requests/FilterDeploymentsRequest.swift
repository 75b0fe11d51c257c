import BudgetWire

/// Which of these deployments are within budget?
public struct FilterDeploymentsRequest: Hashable, Sendable {
  /// The candidates, at most 1,024. None: the server's configured ones of `modelName`.
  public var deployments: [Deployment]
  /// The request's tags, at most 256; their budgets count for every candidate.
  public var tags: [String]
  /// Whose configured deployments are the candidates when none are given.
  public var modelName: String
  /// US dollars that the request is expected to cost; 0 = none. With one a budget also denies when
  /// its spend and the estimate together are over its limit.
  public var estimatedCostUSD: Double

  /// A question; what is not given is absent.
  public init(
    deployments: [Deployment] = [], tags: [String] = [], modelName: String = "",
    estimatedCostUSD: Double = 0
  ) {
    self.deployments = deployments
    self.tags = tags
    self.modelName = modelName
    self.estimatedCostUSD = estimatedCostUSD
  }

  var message: FilterDeploymentsMessage {
    FilterDeploymentsMessage(
      deployments: deployments.map(\.message), tags: tags, modelName: modelName,
      estimatedCostUSD: estimatedCostUSD)
  }
}
