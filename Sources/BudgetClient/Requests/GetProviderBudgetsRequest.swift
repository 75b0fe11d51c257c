import BudgetWire

/// Where do the budgets stand?
public struct GetProviderBudgetsRequest: Hashable, Sendable {
  /// Only these providers, at most 1,024; none = all.
  public var providers: [String] = []
  /// Whether deployments' budgets are wanted too.
  public var includesDeployments = false
  /// Only these deployments, at most 1,024; none = all.
  public var deploymentIDs: [String] = []
  /// Whether tags' budgets are wanted too.
  public var includesTags = false
  /// Only these tags, at most 256; none = all.
  public var tags: [String] = []
  /// The most budgets of a page, 1 to 1,000; 0 = 1,000.
  public var pageSize: UInt32 = 0
  /// The `nextPageToken` of the page before; empty = the first page.
  public var pageToken = ""

  /// Asks for the first page of all providers' budgets.
  public init() {}

  var message: GetProviderBudgetsMessage {
    var message = GetProviderBudgetsMessage()
    message.providers = providers
    message.includesDeployments = includesDeployments
    message.deploymentIDs = deploymentIDs
    message.includesTags = includesTags
    message.tags = tags
    message.pageSize = pageSize
    message.pageToken = pageToken
    return message
  }
}
