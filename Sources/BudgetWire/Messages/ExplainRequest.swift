public import BudgetModel

/// Every budget's verdict on a request that FilterDeployments could be asked.
public struct ExplainRequestResponse: Hashable, Sendable {
  /// The request's tags, each once, and the total: their budgets count for every candidate.
  public var tags: [ExplainedBudget] = []
  /// The candidates, in the order of their positions, as far as they fit one answer.
  public var candidates: [ExplainedCandidate] = []
  /// How many candidates there were past those.
  public var candidatesOmitted = 0
  /// How many tags there were past those given.
  public var tagsOmitted = 0

  /// The answer about nothing.
  public init() {}
}

/// One candidate, and the budgets of its own that were asked.
public struct ExplainedCandidate: Hashable, Sendable {
  /// The candidate as it was given, or as the server has it configured. Control characters and bytes
  /// that are not UTF-8 are U+FFFD.
  public var deployment: Deployment
  /// The provider whose budget was asked, given or derived; empty = none.
  public var provider: String
  /// Whether FilterDeployments would allow the candidate now.
  public var isAllowed: Bool
  /// The provider's budgets, then the deployment's where an id was given, the model's and the pools'.
  public var budgets: [ExplainedBudget]

  /// A candidate of all its parts.
  public init(
    _ deployment: Deployment, provider: String, isAllowed: Bool, budgets: [ExplainedBudget]
  ) {
    self.deployment = deployment
    self.provider = provider
    self.isAllowed = isAllowed
    self.budgets = budgets
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      deployment.append(as: 1, to: &bytes)
      bytes.appendText(2, provider)
      bytes.appendFlag(3, isAllowed)
      for budget in budgets { budget.append(as: 4, to: &bytes) }
    }
  }
}

/// A name that a budget was looked for under, and where that budget stands.
public struct ExplainedBudget: Hashable, Sendable {
  /// The verdict of a name's budget on a request.
  public enum Verdict: UInt8, CaseIterable, Hashable, Sendable {
    /// The budget allows it.
    case allows = 1
    /// The budget denies it.
    case denies = 2
    /// No budget has the name: it is not limited.
    case noBudget = 3
    /// The name can match no budget: it is not limited.
    case unusableName = 4
  }

  /// The kind of thing that the budget applies to; nil: a scope of a later contract.
  public var scope: BudgetScope?
  /// The name, as far as it can be shown; empty = no provider.
  public var name: String
  /// The window's length as configured, such as `7d`; empty = no budget has the name.
  public var timePeriod = ""
  /// US dollars that are compared with the limit: spent, being recorded, reserved and withheld.
  public var spendUSD = 0.0
  /// How much of `spendUSD` waits for the disk.
  public var pendingUSD = 0.0
  /// US dollars; nil = no limit, or no budget.
  public var limitUSD: Double?
  /// How much of `spendUSD` nobody has spent: other nodes' parts of the limit, while Redis is away.
  public var withheldUSD = 0.0
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// The budget's verdict; nil: one of a later contract.
  public var verdict: Verdict?
  /// Why no budget was asked; empty = nobody configured one under this name.
  public var reason = ""
  /// The budget's mode at its limit; nil: a mode of a later contract.
  public var mode: BudgetMode? = .enforce
  /// How much of `spendUSD` open reservations hold.
  public var reservedUSD = 0.0

  /// A name and the verdict on it; set what else is known.
  public init(scope: BudgetScope?, name: String, verdict: Verdict?, reason: String = "") {
    self.scope = scope
    self.name = name
    self.verdict = verdict
    self.reason = reason
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendInteger(1, UInt64(scope?.rawValue ?? 0))
      bytes.appendText(2, name)
      bytes.appendText(3, timePeriod)
      bytes.appendDouble(4, spendUSD)
      bytes.appendDouble(5, pendingUSD)
      if let limitUSD { bytes.appendPresentDouble(6, limitUSD) }
      bytes.appendDouble(7, withheldUSD)
      if let resetsAtUnixMilliseconds {
        bytes.appendPresentInteger(8, UInt64(bitPattern: resetsAtUnixMilliseconds))
      }
      bytes.appendInteger(9, UInt64(verdict?.rawValue ?? 0))
      bytes.appendText(10, reason)
      bytes.appendInteger(11, UInt64(mode?.rawValue ?? 0))
      bytes.appendDouble(12, reservedUSD)
    }
  }
}
