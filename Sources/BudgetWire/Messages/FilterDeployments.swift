public import BudgetModel

/// A deployment: one model at one provider that a request could go to.
public struct Deployment: Hashable, Sendable {
  /// LiteLLM's `model_info.id`, which deployments' budgets go by; at most 256 bytes.
  public var id: String
  /// The public name, its model group; at most 256 bytes.
  public var modelName: String
  /// `litellm_params.model`, such as `openai/gpt-4o`; at most 256 bytes.
  public var model: String
  /// The provider, at most 256 bytes; empty = the model list's for `id`, else derived from `model`.
  public var provider: String
  /// Whether it costs nothing: spent budgets of model, pools, tags and total do not keep it out.
  public var isFree: Bool
  /// US dollars that a request to it is expected to cost, 0 to 9,000,000,000; nil = not known. It is
  /// held for it where a request reserves.
  public var estimatedCostUSD: Double?

  /// A deployment; what is not given is absent.
  public init(
    id: String = "", modelName: String = "", model: String = "", provider: String = "",
    isFree: Bool = false, estimatedCostUSD: Double? = nil
  ) {
    self.id = id
    self.modelName = modelName
    self.model = model
    self.provider = provider
    self.isFree = isFree
    self.estimatedCostUSD = estimatedCostUSD
  }

  /// Appends the deployment as an entry of the list that is field `number`.
  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendText(1, id)
      bytes.appendText(2, modelName)
      bytes.appendText(3, model)
      bytes.appendText(4, provider)
      if let estimatedCostUSD { bytes.appendPresentDouble(5, estimatedCostUSD) }
      bytes.appendFlag(6, isFree)
    }
  }
}

/// Which of these deployments are within budget? ExplainRequest is asked with it too.
public struct FilterDeploymentsRequest: Hashable, Sendable {
  /// The candidates, at most 1,024. None: the server's configured ones of `modelName`.
  public var deployments: [Deployment]
  /// The request's tags, at most 256; their budgets count for every candidate, repeated ones once.
  public var tags: [String]
  /// The public model name that was asked for. With no candidates given, its configured deployments
  /// are the candidates, and a name that the server does not know is refused with NOT_FOUND. Beside
  /// candidates it says whose model budgets count.
  public var modelName: String
  /// US dollars that the request is expected to cost, 0 to 9,000,000,000; 0 = none. With one a
  /// budget also denies when its spend and the estimate together are over its limit.
  public var estimatedCostUSD: Double
  /// Whether the cost of a request to the first candidate that every budget has room for is to be held
  /// back, and how; nil: nothing is held.
  public var reserve: ReserveOptions?

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

  /// Appends the message as that of `method`: two methods are asked with it.
  func append(as method: MethodName, to bytes: inout [UInt8]) {
    bytes.appendMessage(method.rawValue) { bytes in
      for deployment in deployments { deployment.append(as: 1, to: &bytes) }
      for tag in tags { bytes.appendEntry(2, tag) }
      bytes.appendText(3, modelName)
      bytes.appendDouble(4, estimatedCostUSD)
      guard let reserve else { return }
      bytes.appendFlag(5, true)
      if let amountUSD = reserve.amountUSD { bytes.appendPresentDouble(6, amountUSD) }
      bytes.appendInteger(7, UInt64(reserve.ttlMilliseconds))
      bytes.appendText(8, reserve.idempotencyKey)
    }
  }
}

/// Which candidates are within budget, and which budgets deny the others.
public struct FilterDeploymentsResponse: Hashable, Sendable {
  /// Positions of the allowed among the candidates, from 0, ascending.
  public var allowed: [Int] = []
  /// Which budget denied which candidate, at most 1,024.
  public var denials: [Denial] = []
  /// The candidates, where the server supplied them; empty where the request did.
  public var candidates: [Deployment] = []
  /// How many denials there were past those given.
  public var denialsOmitted = 0
  /// Whether there were candidates and every one is over budget: the call's status is
  /// RESOURCE_EXHAUSTED.
  public var isExhausted = false
  /// When exhausted, the status's sentence: `No deployments available - crossed budget: ` and a
  /// sentence a denial, as LiteLLM says it. Else empty.
  public var message = ""
  /// The position of the candidate to use, if the request reserved. `allowed` is this one alone.
  public var chosen: Int?
  /// The reservation for it, if the request reserved; nil: nothing is held, though it may be used.
  public var reservation: SpendReservation?

  /// The answer that nothing is allowed.
  public init() {}
}

/// One budget that denied one candidate.
public struct Denial: Hashable, Sendable {
  /// The candidate's position, from 0.
  public var position: Int
  /// The kind of thing that the budget applies to; nil: a scope of a later contract.
  public var scope: BudgetScope?
  /// The budget's name.
  public var name: String
  /// US dollars that were compared with the limit: spent, being recorded, reserved and withheld.
  public var spendUSD: Double
  /// The limit in US dollars.
  public var limitUSD: Double
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// How much of `spendUSD` nobody has spent: other nodes' parts of the limit, while Redis is away.
  public var withheldUSD: Double = 0
  /// Whether it denies for its limit, or is frozen; nil: a mode of a later contract.
  public var mode: BudgetMode? = .enforce
  /// The window as configured, where the budget is not LiteLLM's own; else empty.
  public var window = ""
  /// How much of `spendUSD` open reservations hold: nobody has spent it yet.
  public var reservedUSD: Double = 0
}
