/// The identity of a budget: whose spend it counts, over which window.
///
/// The limit is policy and no part of it: a changed limit applies to the spend there already is.
/// The window's text is, since LiteLLM's Redis keys hold it: `1d` and `24h` are two keys.
public struct BudgetKey: Hashable, Sendable {
  /// The kind of thing that the budget applies to.
  public var scope: BudgetScope
  /// The provider's, deployment's or tag's name: 1 to 256 bytes of UTF-8 without control characters.
  public var name: String
  /// The window's length exactly as configured, such as `1d`.
  public var windowText: String

  /// Makes a key from its three parts.
  public init(scope: BudgetScope, name: String, windowText: String) {
    self.scope = scope
    self.name = name
    self.windowText = windowText
  }
}

extension BudgetKey {
  /// Whether both have the same bytes. Swift's own equality of texts would take two names for one
  /// that Redis, LiteLLM and requests tell apart (`é` in one scalar or in two).
  public static func == (left: BudgetKey, right: BudgetKey) -> Bool {
    left.scope == right.scope && ExactText(left.name) == ExactText(right.name)
      && ExactText(left.windowText) == ExactText(right.windowText)
  }

  /// Feeds what `==` compares.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(scope)
    hasher.combine(ExactText(name))
    hasher.combine(ExactText(windowText))
  }
}

extension BudgetKey: CustomStringConvertible {
  /// `provider openai per 1d`, for logs.
  public var description: String { "\(scope) \(name) per \(windowText)" }
}

/// The kind of thing that a budget applies to.
public enum BudgetScope: UInt8, CaseIterable, Hashable, Sendable {
  /// One LLM vendor, such as `openai`.
  case provider = 1
  /// One routable model endpoint, by its `model_info.id`.
  case deployment = 2
  /// A label that callers put on requests.
  case tag = 3
}

extension BudgetScope: CustomStringConvertible {
  /// The scope in one lower-case word.
  public var description: String {
    switch self {
    case .provider: "provider"
    case .deployment: "deployment"
    case .tag: "tag"
    }
  }
}
