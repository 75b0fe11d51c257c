/// What FilterDeployments is asked.
public struct FilterDeploymentsMessage: Hashable, Sendable {
  /// The candidates, at most 1,024; none: the configured ones of `modelName`.
  public var deployments: [DeploymentMessage]
  /// The request's tags, at most 256.
  public var tags: [String]
  /// Whose configured entries are the candidates when none are given.
  public var modelName: String
  /// US dollars the request is expected to cost; 0 = none.
  public var estimatedCostUSD: Double

  /// A question; what is not given is absent.
  public init(
    deployments: [DeploymentMessage] = [], tags: [String] = [], modelName: String = "",
    estimatedCostUSD: Double = 0
  ) {
    self.deployments = deployments
    self.tags = tags
    self.modelName = modelName
    self.estimatedCostUSD = estimatedCostUSD
  }

  /// Appends the message as that of `method`: two methods are asked with it.
  func append(as method: MethodName, to bytes: inout [UInt8]) {
    bytes.appendMessage(method.rawValue) { bytes in
      for deployment in deployments {
        bytes.appendMessage(1) { bytes in
          bytes.appendText(1, deployment.id)
          bytes.appendText(2, deployment.modelName)
          bytes.appendText(3, deployment.model)
          bytes.appendText(4, deployment.provider)
        }
      }
      for tag in tags { bytes.appendEntry(2, tag) }
      bytes.appendText(3, modelName)
      bytes.appendDouble(4, estimatedCostUSD)
    }
  }
}
