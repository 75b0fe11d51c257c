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

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.filterDeployments.rawValue) { bytes in
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

/// What RecordSpend is told.
public struct RecordSpendMessage: Hashable, Sendable {
  /// The explicit provider; empty = derived from `model`.
  public var provider = ""
  /// The deployment that served the request.
  public var deploymentID = ""
  /// The model, to derive the provider from.
  public var model = ""
  /// The request's tags, at most 256.
  public var tags: [String] = []
  /// US dollars; nil sends none, which the server refuses.
  public var costUSD: Double?
  /// Makes a retry harmless; empty = not deduplicated.
  public var idempotencyKey = ""
  /// The reservation that this settles; empty = none.
  public var reservationID = ""

  /// A record of this cost; set whose it is.
  public init(costUSD: Double?) {
    self.costUSD = costUSD
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.recordSpend.rawValue) { bytes in
      bytes.appendText(1, provider)
      bytes.appendText(2, deploymentID)
      bytes.appendText(3, model)
      for tag in tags { bytes.appendEntry(4, tag) }
      if let costUSD { bytes.appendPresentDouble(5, costUSD) }
      bytes.appendText(6, idempotencyKey)
      bytes.appendText(7, reservationID)
    }
  }
}

/// What GetProviderBudgets is asked.
public struct GetProviderBudgetsMessage: Hashable, Sendable {
  /// Only these providers, at most 1,024; none = all.
  public var providers: [String] = []
  /// Whether deployments' budgets are wanted too.
  public var includesDeployments = false
  /// Whether tags' budgets are wanted too.
  public var includesTags = false
  /// The most budgets of a page, 1 to 1,000; 0 = 1,000.
  public var pageSize: UInt32 = 0
  /// The page before's `nextPageToken`; empty = the first page.
  public var pageToken = ""
  /// Only these deployments, at most 1,024; none = all.
  public var deploymentIDs: [String] = []
  /// Only these tags, at most 256; none = all.
  public var tags: [String] = []

  /// Asks for the first page of all providers' budgets.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.getProviderBudgets.rawValue) { bytes in
      for provider in providers { bytes.appendEntry(1, provider) }
      bytes.appendFlag(2, includesDeployments)
      bytes.appendFlag(3, includesTags)
      bytes.appendInteger(4, UInt64(pageSize))
      bytes.appendText(5, pageToken)
      for deploymentID in deploymentIDs { bytes.appendEntry(6, deploymentID) }
      for tag in tags { bytes.appendEntry(7, tag) }
    }
  }
}
