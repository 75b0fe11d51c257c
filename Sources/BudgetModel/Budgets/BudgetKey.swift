/// The identity of a budget: whose spend it counts, over which window.
///
/// The limit is policy and no part of it: a changed limit applies to the spend there already is.
/// The window's text is, since Redis keys hold it: `1d` and `24h` are two keys. Neither time zone nor
/// first day is.
public struct BudgetKey: Hashable, Sendable {
  /// The kind of thing that the budget applies to.
  public var scope: BudgetScope
  /// The provider's, deployment's, model's, pool's or tag's name, `total` for the total: 1 to 256
  /// bytes of UTF-8 without control characters.
  public var name: String
  /// The window exactly as configured, such as `1d` or `month`.
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
  /// `provider openai per 1d`, for logs; `total per month`.
  public var description: String {
    scope == .total ? "total per \(windowText)" : "\(scope) \(name) per \(windowText)"
  }

  /// The name that the total's budgets go by.
  public static let totalName = "total"
}

/// The kind of thing that a budget applies to. Raw values are those of the wire and of the ledger.
public enum BudgetScope: UInt8, CaseIterable, Hashable, Sendable {
  /// One LLM vendor, such as `openai`.
  case provider = 1
  /// One routable model endpoint, by its `model_info.id`.
  case deployment = 2
  /// A label that callers put on requests.
  case tag = 3
  /// A public model name, all its deployments together.
  case model = 4
  /// Several providers, models or deployments together.
  case pool = 5
  /// Everything together.
  case total = 6

  /// Every scope, in the order in which budgets are asked, findings stand and budgets are listed.
  public static let inOrder: [BudgetScope] = [
    .provider, .deployment, .model, .pool, .tag, .total,
  ]

  /// The scopes that LiteLLM has words for.
  public static let ofLiteLLM: [BudgetScope] = [.provider, .deployment, .tag]
}

extension BudgetScope {
  /// The scope of that lower-case word; nil where it is none.
  public init?(word: String) {
    guard let scope = Self.allCases.first(where: { $0.description == word }) else { return nil }
    self = scope
  }
}

extension BudgetScope: CustomStringConvertible {
  /// The scope in one lower-case word.
  public var description: String {
    switch self {
    case .provider: "provider"
    case .deployment: "deployment"
    case .tag: "tag"
    case .model: "model"
    case .pool: "pool"
    case .total: "total"
    }
  }
}
