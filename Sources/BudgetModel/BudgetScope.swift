/// What a budget applies to.
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
