public import BudgetModel
import BudgetWire

/// What every budget says of a request.
public struct ExplainRequestResponse: Hashable, Sendable {
  /// The request's tags, each once: their budgets count for every candidate.
  public var tags: [ExplainedBudget]
  /// The candidates, in the order of their positions, as far as they fit one answer.
  public var candidates: [ExplainedCandidate]
  /// How many candidates there were past those.
  public var candidatesOmitted: Int
  /// How many tags there were past those given.
  public var tagsOmitted: Int

  init(_ result: ExplainResult) {
    tags = result.tags.map(ExplainedBudget.init)
    candidates = result.candidates.map(ExplainedCandidate.init)
    candidatesOmitted = Int(result.candidatesOmitted)
    tagsOmitted = Int(result.tagsOmitted)
  }
}

/// One candidate, and the budgets of its own that were asked.
public struct ExplainedCandidate: Hashable, Sendable {
  /// The candidate as it was given, or as the server has it configured.
  public var deployment: Deployment
  /// The provider whose budget was asked, given or derived; empty = there is none.
  public var provider: String
  /// Whether `filterDeployments` would allow the candidate now.
  public var isAllowed: Bool
  /// The provider's budget, then the deployment's where an id was given.
  public var budgets: [ExplainedBudget]

  init(_ message: BudgetWire.ExplainedCandidate) {
    deployment = Deployment(message.deployment)
    provider = message.provider
    isAllowed = message.isAllowed
    budgets = message.budgets.map(ExplainedBudget.init)
  }
}

/// A name that a budget was looked for under, and where that budget stands.
public struct ExplainedBudget: Hashable, Sendable {
  /// What a name's budget says of a request.
  public enum Verdict: Hashable, Sendable {
    /// The budget allows it.
    case allows
    /// The budget denies it.
    case denies
    /// No budget has the name: it is not limited.
    case noBudget
    /// The name can match no budget: it is not limited.
    case unusableName
  }

  /// What the budget applies to; nil: something that this client does not know yet.
  public var scope: BudgetScope?
  /// The name, as far as it can be shown; empty = there is no provider.
  public var name: String
  /// The window's length as configured, such as `7d`; empty = no budget has the name.
  public var timePeriod: String
  /// US dollars that are compared with the limit: spent, being recorded, reserved and withheld.
  public var spendUSD: Double
  /// How much of `spendUSD` waits for the disk.
  public var pendingUSD: Double
  /// US dollars; nil = no limit, or no budget.
  public var limitUSD: Double?
  /// How much of `spendUSD` nobody has spent: other nodes' parts of the limit, while Redis is away.
  public var withheldUSD: Double
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// What the budget says; nil: something that this client does not know yet.
  public var verdict: Verdict?
  /// Why no budget was asked; empty = nobody configured one under this name.
  public var reason: String

  init(_ message: BudgetWire.ExplainedBudget) {
    scope = message.scope
    name = message.name
    timePeriod = message.timePeriod
    spendUSD = message.spendUSD
    pendingUSD = message.pendingUSD
    limitUSD = message.limitUSD
    withheldUSD = message.withheldUSD
    resetsAtUnixMilliseconds = message.resetsAtUnixMilliseconds
    reason = message.reason
    switch message.verdict {
    case .allows: verdict = .allows
    case .denies: verdict = .denies
    case .noBudget: verdict = .noBudget
    case .unusableName: verdict = .unusableName
    case nil: verdict = nil
    }
  }
}
