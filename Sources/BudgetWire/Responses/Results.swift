public import BudgetModel

/// The answer to FilterDeployments, as a client reads it.
public struct FilterDeploymentsResult: Hashable, Sendable {
  /// Positions among the candidates, from 0, ascending.
  public var allowed: [UInt32] = []
  /// Which budget denied which candidate.
  public var denials: [DenialMessage] = []
  /// The candidates, where the server supplied them.
  public var candidates: [DeploymentMessage] = []
  /// How many denials there were past those given.
  public var denialsOmitted: UInt32 = 0

  /// The answer that nothing is allowed.
  public init() {}
}

/// One budget that denied one candidate, as a client reads it.
public struct DenialMessage: Hashable, Sendable {
  /// The candidate's position.
  public var position: UInt32
  /// What the budget applies to; nil for a scope of a later contract.
  public var scope: BudgetScope?
  /// The budget's name.
  public var name: String
  /// US dollars that were compared with the limit.
  public var spendUSD: Double
  /// The limit in US dollars.
  public var limitUSD: Double
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
}

/// The answer to RecordSpend.
public struct RecordSpendResult: Hashable, Sendable {
  /// The idempotency key was seen before: nothing was added now.
  public var isDuplicate: Bool
  /// How many budgets the cost was added to.
  public var budgetsCharged: UInt32

  /// An answer of both its parts.
  public init(isDuplicate: Bool, budgetsCharged: UInt32) {
    self.isDuplicate = isDuplicate
    self.budgetsCharged = budgetsCharged
  }
}

/// The answer to GetProviderBudgets: one page.
public struct ProviderBudgetsResult: Hashable, Sendable {
  /// Providers' budgets.
  public var providers: [BudgetMessage] = []
  /// Deployments' budgets, where asked for.
  public var deployments: [BudgetMessage] = []
  /// Tags' budgets, where asked for.
  public var tags: [BudgetMessage] = []
  /// When the node last agreed with Redis, Unix milliseconds; 0 = no Redis, or not yet.
  public var reconciledAtUnixMilliseconds: Int64 = 0
  /// Asks for the next page; empty = this is the last.
  public var nextPageToken = ""

  /// An empty page.
  public init() {}
}

/// The answer to Ping.
public struct PingResult: Hashable, Sendable {
  /// The server's version.
  public var version = ""
  /// The node.
  public var nodeID = ""
  /// Whether the node takes requests.
  public var isReady = false
  /// `commit` or `memory`.
  public var durability = ""
  /// `none`, `ok` or `partitioned`.
  public var storeState = ""
  /// Why the node is not ready; empty when it is.
  public var notReadyReason = ""
  /// Idempotency keys are remembered back to here, Unix milliseconds.
  public var idempotencyHorizonUnixMilliseconds: Int64 = 0

  /// An empty answer.
  public init() {}
}
