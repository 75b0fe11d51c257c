public import BudgetModel

/// Changes one thing of a budget, or of a name's budgets, on every node.
public struct SetBudgetRequest: Hashable, Sendable {
  /// The thing that is changed.
  public enum Setting: Hashable, Sendable {
    /// The limit in US dollars.
    case limitUSD(Double)
    /// The budget counts and has no limit.
    case noLimit
    /// The mode of all budgets of the name.
    case mode(BudgetMode)
  }

  /// Whose budget: with an empty window the name's, of which there is one, or with a mode all.
  public var target: BudgetTarget
  /// The change; nil is refused.
  public var setting: Setting?
  /// When the configuration's value holds again by itself, Unix milliseconds; nil = when it is cleared.
  public var untilUnixMilliseconds: Int64?
  /// Why: at most 256 bytes.
  public var reason = ""
  /// Only if the change in force has this version, empty = if none is in force; nil = whatever is.
  public var ifVersion: String?

  /// Asks for a change without end and without a reason; set what else there is.
  public init(_ target: BudgetTarget, _ setting: Setting?) {
    self.target = target
    self.setting = setting
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.setBudget.rawValue) { bytes in
      target.append(to: &bytes)
      switch setting {
      case .limitUSD(let limit): bytes.appendPresentDouble(4, limit)
      case .noLimit: bytes.appendFlag(5, true)
      case .mode(let mode): bytes.appendPresentInteger(6, UInt64(mode.rawValue))
      case nil: break
      }
      bytes.appendInteger(7, UInt64(bitPattern: untilUnixMilliseconds ?? 0))
      bytes.appendText(8, reason)
      if let ifVersion { bytes.appendEntry(9, ifVersion) }
    }
  }
}

/// Names a budget in administration.
public struct BudgetTarget: Hashable, Sendable {
  /// The kind of thing that the budget applies to; nil is refused.
  public var scope: BudgetScope?
  /// The name within its scope; of the total `total`, or empty. One that ends in `*` is a pattern's.
  public var name: String
  /// The window as configured; empty where the name has one budget.
  public var window: String

  /// Names a budget.
  public init(_ scope: BudgetScope?, _ name: String, window: String = "") {
    self.scope = scope
    self.name = name
    self.window = window
  }

  /// The first three fields of every message that names a budget.
  func append(to bytes: inout [UInt8]) {
    bytes.appendInteger(1, UInt64(scope?.rawValue ?? 0))
    bytes.appendText(2, name)
    bytes.appendText(3, window)
  }
}

/// Has the configuration's values hold again.
public struct ClearBudgetRequest: Hashable, Sendable {
  /// Whose: with an empty window all changes of the name.
  public var target: BudgetTarget
  /// Why: at most 256 bytes.
  public var reason: String

  /// Asks to clear.
  public init(_ target: BudgetTarget, reason: String = "") {
    self.target = target
    self.reason = reason
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.clearBudget.rawValue) { bytes in
      target.append(to: &bytes)
      bytes.appendText(4, reason)
    }
  }
}

/// Ends the open window of a budget.
public struct ResetBudgetRequest: Hashable, Sendable {
  /// Whose.
  public var target: BudgetTarget
  /// The spend that the new window begins with, US dollars.
  public var toUSD: Double
  /// Why: at most 256 bytes.
  public var reason: String

  /// Asks for a reset.
  public init(_ target: BudgetTarget, toUSD: Double = 0, reason: String = "") {
    self.target = target
    self.toUSD = toUSD
    self.reason = reason
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.resetBudget.rawValue) { bytes in
      target.append(to: &bytes)
      bytes.appendDouble(4, toUSD)
      bytes.appendText(5, reason)
    }
  }
}

/// A change that an operator made.
public struct BudgetOverride: Hashable, Sendable {
  /// Whose; with an empty window all budgets of the name.
  public var target: BudgetTarget
  /// The limit in US dollars.
  public var limitUSD: Double?
  /// Whether the budget is to have no limit.
  public var hasNoLimit = false
  /// The mode; nil: the change is of something else.
  public var mode: BudgetMode?
  /// A reset began the window with this much spent.
  public var resetToUSD: Double?
  /// When it ends by itself, Unix milliseconds; nil = when it is cleared.
  public var untilUnixMilliseconds: Int64?
  /// Why, in the operator's words.
  public var reason = ""
  /// Who made it.
  public var author = ""
  /// From where.
  public var place = ""
  /// When, Unix milliseconds.
  public var madeAtUnixMilliseconds: Int64 = 0
  /// Its version.
  public var version = ""
  /// Whether it says that the configuration's value holds again.
  public var isCleared = false

  /// A change of nothing; set what it is of.
  public init(_ target: BudgetTarget) { self.target = target }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      target.append(to: &bytes)
      if let limitUSD { bytes.appendPresentDouble(4, limitUSD) }
      bytes.appendFlag(5, hasNoLimit)
      if let mode { bytes.appendPresentInteger(6, UInt64(mode.rawValue)) }
      if let resetToUSD { bytes.appendPresentDouble(7, resetToUSD) }
      bytes.appendInteger(8, UInt64(bitPattern: untilUnixMilliseconds ?? 0))
      bytes.appendText(9, reason)
      bytes.appendText(10, author)
      bytes.appendText(11, place)
      bytes.appendInteger(12, UInt64(bitPattern: madeAtUnixMilliseconds))
      bytes.appendText(13, version)
      bytes.appendFlag(14, isCleared)
    }
  }
}

/// A change is in force: the answer to SetBudget.
public struct SetBudgetResponse: Hashable, Sendable {
  /// The change.
  public var change: BudgetOverride
  /// The value before, in words.
  public var before: String

  /// An answer of both its parts.
  public init(_ change: BudgetOverride, before: String) {
    self.change = change
    self.before = before
  }
}

/// The old window is over: the answer to ResetBudget.
public struct ResetBudgetResponse: Hashable, Sendable {
  /// The change.
  public var change: BudgetOverride
  /// US dollars spent in the old window, as far as the node had heard.
  public var spendUSD: Double

  /// An answer of both its parts.
  public init(_ change: BudgetOverride, spendUSD: Double) {
    self.change = change
    self.spendUSD = spendUSD
  }
}

/// Asks for the audit of one node, a page at a time.
public struct ListChangesRequest: Hashable, Sendable {
  /// The most lines of a page, 1 to 1,000; 0 = 100.
  public var pageSize: UInt32 = 0
  /// The `nextPageToken` of the page before; empty = the first page.
  public var pageToken = ""
  /// Only lines from then on, Unix milliseconds; nil = all.
  public var sinceUnixMilliseconds: Int64?

  /// Asks for the first page.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.listChanges.rawValue) { bytes in
      bytes.appendInteger(1, UInt64(pageSize))
      bytes.appendText(2, pageToken)
      bytes.appendInteger(3, UInt64(bitPattern: sinceUnixMilliseconds ?? 0))
    }
  }
}

/// One page of the audit, the newest first.
public struct ListChangesResponse: Hashable, Sendable {
  /// The lines.
  public var lines: [AuditLine] = []
  /// Asks for the next page; empty = this is the last.
  public var nextPageToken = ""
  /// On the first page the changes in force.
  public var inForce: [BudgetOverride] = []

  /// An empty page.
  public init() {}
}

/// Who did, or was refused, what.
public struct AuditLine: Hashable, Sendable {
  /// When, Unix milliseconds.
  public var atUnixMilliseconds: Int64
  /// The action, such as `set_budget`.
  public var action: String
  /// Who did it.
  public var author = ""
  /// From where.
  public var place = ""
  /// The node that it was done on.
  public var nodeID = ""
  /// The budget; nil: it is of none.
  public var target: BudgetTarget?
  /// The value before, in words.
  public var before = ""
  /// The value since, in words.
  public var after = ""
  /// Why, in the operator's words.
  public var reason = ""
  /// Why it was refused; empty = it was done.
  public var refusal = ""

  /// A line; set what else is known.
  public init(atUnixMilliseconds: Int64, action: String) {
    self.atUnixMilliseconds = atUnixMilliseconds
    self.action = action
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendInteger(1, UInt64(bitPattern: atUnixMilliseconds))
      bytes.appendText(2, action)
      bytes.appendText(3, author)
      bytes.appendText(4, place)
      bytes.appendText(5, nodeID)
      bytes.appendInteger(6, UInt64(target?.scope?.rawValue ?? 0))
      bytes.appendText(7, target?.name ?? "")
      bytes.appendText(8, target?.window ?? "")
      bytes.appendText(9, before)
      bytes.appendText(10, after)
      bytes.appendText(11, reason)
      bytes.appendText(12, refusal)
    }
  }
}

/// The configuration was read again: the answer to ReloadConfig.
public struct ReloadConfigResponse: Hashable, Sendable {
  /// The changes, a sentence each.
  public var changes: [String] = []
  /// How many changes there were past those.
  public var changesOmitted = 0
  /// The warnings of the configuration.
  public var warnings: [String] = []

  /// Nothing changed.
  public init() {}
}
