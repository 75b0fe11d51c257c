public import BudgetModel

/// The answer to ExplainRequest: every budget that was asked.
public struct ExplainResult: Hashable, Sendable {
  /// The request's tags, each once.
  public var tags: [ExplainedBudget] = []
  /// The candidates, in the order of their positions.
  public var candidates: [ExplainedCandidate] = []
  /// How many candidates there were past those.
  public var candidatesOmitted: UInt32 = 0
  /// How many tags there were past those.
  public var tagsOmitted: UInt32 = 0

  /// The answer about nothing.
  public init() {}
}

/// One candidate, and the budgets of its own that were asked.
public struct ExplainedCandidate: Hashable, Sendable {
  /// The candidate as it was given, or as it is configured, as far as it can be shown.
  public var deployment: DeploymentMessage
  /// The provider whose budget was asked, given or derived; empty = there is none.
  public var provider: String
  /// Whether FilterDeployments would allow the candidate.
  public var isAllowed: Bool
  /// The provider's budget, then the deployment's where an id was given.
  public var budgets: [ExplainedBudget]

  /// A candidate of all its parts.
  public init(
    _ deployment: DeploymentMessage, provider: String, isAllowed: Bool, budgets: [ExplainedBudget]
  ) {
    self.deployment = deployment
    self.provider = provider
    self.isAllowed = isAllowed
    self.budgets = budgets
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendMessage(1) { bytes in
        bytes.appendText(1, deployment.id)
        bytes.appendText(2, deployment.modelName)
        bytes.appendText(3, deployment.model)
        bytes.appendText(4, deployment.provider)
      }
      bytes.appendText(2, provider)
      bytes.appendFlag(3, isAllowed)
      for budget in budgets { budget.append(as: 4, to: &bytes) }
    }
  }
}

/// A name that a budget was looked for under, and where that budget stands.
public struct ExplainedBudget: Hashable, Sendable {
  /// What a name's budget says of a request.
  public enum Verdict: UInt8, CaseIterable, Hashable, Sendable {
    /// The budget allows it.
    case allows = 1
    /// The budget denies it.
    case denies = 2
    /// No budget has the name.
    case noBudget = 3
    /// The name can match no budget.
    case unusableName = 4
  }

  /// What the budget applies to; nil for a scope of a later contract.
  public var scope: BudgetScope?
  /// The name within its scope, as far as it can be shown.
  public var name: String
  /// The window's length as configured; empty = no budget has the name.
  public var timePeriod = ""
  /// US dollars that are compared with the limit.
  public var spendUSD = 0.0
  /// How much of `spendUSD` waits for the disk.
  public var pendingUSD = 0.0
  /// US dollars; nil = no limit, or no budget.
  public var limitUSD: Double?
  /// How much of `spendUSD` nobody has spent: an outage policy withholds it.
  public var withheldUSD = 0.0
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// What the budget says; nil for a verdict of a later contract.
  public var verdict: Verdict?
  /// Why no budget was asked; empty = nobody configured one under this name.
  public var reason = ""

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
    }
  }
}

extension ResponseWriter {
  /// Room for the counts behind the lists, and for lengths that take more than a byte.
  private static let roomForCounts = 64

  /// Appends the answer to ExplainRequest. Candidates and tags that no longer fit the frame are left
  /// out and counted; tags take at most half of it.
  ///
  /// Returns whether it fitted a frame.
  @discardableResult
  public func appendExplained(
    _ result: ExplainResult, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.explainRequest.rawValue) { bytes in
        let start = bytes.count
        let room = bounds.maximumResponseBytes - Self.roomForCounts
        let tags = Self.append(result.tags.count, to: &bytes, upTo: start + room / 2) {
          result.tags[$0].append(as: 1, to: &$1)
        }
        let candidates = Self.append(result.candidates.count, to: &bytes, upTo: start + room) {
          result.candidates[$0].append(as: 2, to: &$1)
        }
        bytes.appendInteger(3, UInt64(result.candidatesOmitted) + UInt64(candidates))
        bytes.appendInteger(4, UInt64(result.tagsOmitted) + UInt64(tags))
      }
    }
  }

  /// Appends entries while the bytes end before `end`; returns how many did not fit.
  private static func append(
    _ count: Int, to bytes: inout [UInt8], upTo end: Int, _ entry: (Int, inout [UInt8]) -> Void
  ) -> Int {
    for index in 0..<count {
      let before = bytes.count
      entry(index, &bytes)
      if bytes.count > end {
        bytes.removeSubrange(before...)
        return count - index
      }
    }
    return 0
  }
}
