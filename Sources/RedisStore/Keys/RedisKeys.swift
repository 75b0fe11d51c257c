public import BudgetModel

/// The texts of all keys in Redis: LiteLLM's, byte for byte, and those beside them that are ours.
///
/// Names stand in keys as they are. With a namespace a key begins with it and a colon, unless it
/// already does, which is LiteLLM's rule too.
public struct RedisKeys: Hashable, Sendable {
  private let prefix: [UInt8]

  /// The keys of a namespace; nil or empty: of none.
  public init(namespace: String?) {
    if let namespace, !namespace.isEmpty {
      prefix = Array(namespace.utf8) + [UInt8(ascii: ":")]
    } else {
      prefix = []
    }
  }

  /// The key of a budget's spend: LiteLLM's `provider_spend:openai:1d`, and of budgets that LiteLLM
  /// does not know `budgetd_spend:provider:month:openai`.
  public func spendKey(_ key: BudgetKey, _ origin: BudgetOrigin = .liteLLM) -> [UInt8] {
    switch origin {
    case .liteLLM: named("\(key.scope)_spend:\(key.name):\(key.windowText)")
    case .own: named("budgetd_spend:\(key.scope):\(key.windowText):\(key.name)")
    }
  }

  /// The key of the start of a budget's window: LiteLLM's `provider_budget_start_time:openai`, the
  /// same for every window text of a name; else `budgetd_budget_start_time:provider:36h:openai`.
  public func startKey(_ key: BudgetKey, _ origin: BudgetOrigin = .liteLLM) -> [UInt8] {
    switch origin {
    case .liteLLM: named("\(key.scope)_budget_start_time:\(key.name)")
    case .own: named("budgetd_budget_start_time:\(key.scope):\(key.windowText):\(key.name)")
    }
  }

  /// The key of the nodes' shares of a budget's spend, in the same cluster slot as the spend.
  ///
  /// Precondition: `complaint(_:)` has nothing against the budget.
  public func markKey(_ key: BudgetKey, _ origin: BudgetOrigin = .liteLLM) -> [UInt8] {
    beside(spendKey(key, origin), "bd")
  }

  /// The key of the nodes' claims on what is left of a budget, in the cluster slot of its spend, from
  /// the key of their shares.
  public static func claimsKey(besideMark mark: [UInt8]) -> [UInt8] { mark + [UInt8(ascii: "h")] }

  /// The key of the fleet's nodes.
  public var nodesKey: [UInt8] { named("budgetd:nodes") }

  /// The key of what operators have changed.
  public var policyKey: [UInt8] { named("budgetd:policy") }

  /// The key of which alerts were told, and who is at it.
  public var alertsKey: [UInt8] { named("budgetd:alerts") }

  /// The key of which budgets nodes have claims on.
  public var claimedKey: [UInt8] { named("budgetd:claimed") }

  /// The key of a node's reservations that have ended on others.
  public func endedKey(of node: String) -> [UInt8] { named("budgetd:ended:\(node)") }

  /// Why a budget cannot be kept in Redis; nil: it can.
  ///
  /// Braces in a key say which part of it chooses the cluster slot. There are names for which no
  /// other key falls into the same slot for certain, and LiteLLM's key cannot be changed.
  public func complaint(_ key: BudgetKey, _ origin: BudgetOrigin = .liteLLM) -> String? {
    guard HashTag(spendKey(key, origin)) == .unclear else { return nil }
    return "\(key.scope) \(PrintableText.bounded(key.name)) per "
      + "\(PrintableText.bounded(key.windowText)): braces in a name have to be a pair with "
      + "something between them, such as {team}, where budgets are shared through Redis"
  }

  private func named(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return bytes.starts(with: prefix) ? bytes : prefix + bytes
  }

  private func beside(_ key: [UInt8], _ suffix: String) -> [UInt8] {
    let ending = [UInt8(ascii: ":")] + suffix.utf8
    switch HashTag(key) {
    case .none: return [UInt8(ascii: "{")] + key + [UInt8(ascii: "}")] + ending
    case .present: return key + ending
    case .unclear: preconditionFailure("a budget whose name has unclear braces is refused")
    }
  }
}

/// Which part of a key chooses its slot in a Redis cluster.
enum HashTag {
  /// All of it: there is no brace.
  case none
  /// The part between the first `{` and the next `}`.
  case present
  /// All of it although there are braces, so that a key around this one has another slot.
  case unclear

  /// Reads a key as Redis does.
  init(_ key: [UInt8]) {
    let open = key.firstIndex(of: UInt8(ascii: "{"))
    guard open != nil || key.contains(UInt8(ascii: "}")) else {
      self = .none
      return
    }
    guard let open, let close = key[open...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
    else {
      self = .unclear
      return
    }
    self = .present
  }
}
