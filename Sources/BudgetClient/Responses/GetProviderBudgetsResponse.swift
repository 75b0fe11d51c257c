import BudgetWire

/// Budgets and where they stand: one page, or from `allBudgets` all of them.
public struct GetProviderBudgetsResponse: Hashable, Sendable {
  /// Providers' budgets.
  public var providers: [Budget]
  /// Deployments' budgets, where asked for.
  public var deployments: [Budget]
  /// Tags' budgets, where asked for.
  public var tags: [Budget]
  /// When the node last agreed with Redis, Unix milliseconds; nil = no Redis, or not yet.
  public var reconciledAtUnixMilliseconds: Int64?
  /// Asks for the next page; empty = this is the last.
  public var nextPageToken: String

  init(_ message: ProviderBudgetsResult) {
    providers = message.providers.map(Budget.init)
    deployments = message.deployments.map(Budget.init)
    tags = message.tags.map(Budget.init)
    let reconciledAt = message.reconciledAtUnixMilliseconds
    reconciledAtUnixMilliseconds = reconciledAt == 0 ? nil : reconciledAt
    nextPageToken = message.nextPageToken
  }

  /// Adds the budgets of the next page.
  mutating func append(_ page: GetProviderBudgetsResponse) {
    providers += page.providers
    deployments += page.deployments
    tags += page.tags
    reconciledAtUnixMilliseconds = page.reconciledAtUnixMilliseconds
    nextPageToken = page.nextPageToken
  }
}
