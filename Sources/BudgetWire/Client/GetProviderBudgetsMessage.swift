/// What GetProviderBudgets is asked.
public struct GetProviderBudgetsMessage: Hashable, Sendable {
  /// Only these providers, at most 1,024; none = all.
  public var providers: [String] = []
  /// Whether deployments' budgets are wanted too.
  public var includesDeployments = false
  /// Whether tags' budgets are wanted too.
  public var includesTags = false
  /// The most budgets of a page, 1 to 1,000; 0 = 1,000.
  public var pageSize: UInt32 = 0
  /// The page before's `nextPageToken`; empty = the first page.
  public var pageToken = ""
  /// Only these deployments, at most 1,024; none = all.
  public var deploymentIDs: [String] = []
  /// Only these tags, at most 256; none = all.
  public var tags: [String] = []

  /// Asks for the first page of all providers' budgets.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.getProviderBudgets.rawValue) { bytes in
      for provider in providers { bytes.appendEntry(1, provider) }
      bytes.appendFlag(2, includesDeployments)
      bytes.appendFlag(3, includesTags)
      bytes.appendInteger(4, UInt64(pageSize))
      bytes.appendText(5, pageToken)
      for deploymentID in deploymentIDs { bytes.appendEntry(6, deploymentID) }
      for tag in tags { bytes.appendEntry(7, tag) }
    }
  }
}
