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
