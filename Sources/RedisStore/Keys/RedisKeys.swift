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

  /// Where a budget's spend is: LiteLLM's `provider_spend:openai:1d`.
  public func spendKey(_ key: BudgetKey) -> [UInt8] {
    named("\(key.scope)_spend:\(key.name):\(key.windowText)")
  }

  /// Where the start of a budget's window is: LiteLLM's `provider_budget_start_time:openai`, the
  /// same for every window text of a name.
  public func startKey(_ key: BudgetKey) -> [UInt8] {
    named("\(key.scope)_budget_start_time:\(key.name)")
  }

  /// Where the nodes' shares of a budget's spend are, in the same cluster slot as the spend.
  ///
  /// Precondition: `complaint(_:)` has nothing against the budget.
  public func markKey(_ key: BudgetKey) -> [UInt8] { beside(spendKey(key), "bd") }

  /// Where the nodes' holds on a budget are, in the same cluster slot as the spend.
  ///
  /// Precondition: `complaint(_:)` has nothing against the budget.
  public func holdsKey(_ key: BudgetKey) -> [UInt8] { beside(spendKey(key), "bdh") }

  /// Where the fleet's nodes are.
  public var nodesKey: [UInt8] { named("budgetd:nodes") }

  /// Why a budget cannot be kept in Redis; nil: it can.
  ///
  /// Braces in a key say which part of it chooses the cluster slot. There are names for which no
  /// other key falls into the same slot for certain, and LiteLLM's key cannot be changed.
  public func complaint(_ key: BudgetKey) -> String? {
    guard HashTag(spendKey(key)) == .unclear else { return nil }
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
