/// Asks for the state of the budgets.
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

/// The state of budgets: one page.
public struct GetProviderBudgetsResponse: Hashable, Sendable {
  /// Providers' budgets.
  public var providers: [Budget] = []
  /// Deployments' budgets, where asked for.
  public var deployments: [Budget] = []
  /// Tags' budgets, where asked for.
  public var tags: [Budget] = []
  /// When the node last agreed with Redis, Unix milliseconds; nil = no Redis, or not yet.
  public var reconciledAtUnixMilliseconds: Int64?
  /// Asks for the next page; empty = this is the last.
  public var nextPageToken = ""

  /// An empty page.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.getProviderBudgets.rawValue) { bytes in
      for budget in providers { budget.append(as: 1, to: &bytes) }
      for budget in deployments { budget.append(as: 2, to: &bytes) }
      for budget in tags { budget.append(as: 3, to: &bytes) }
      bytes.appendInteger(4, UInt64(bitPattern: reconciledAtUnixMilliseconds ?? 0))
      bytes.appendText(5, nextPageToken)
    }
  }
}

/// The state of one budget.
public struct Budget: Hashable, Sendable {
  /// The provider's, deployment's or tag's name.
  public var name: String
  /// US dollars that may be spent in one window; nil = no limit.
  public var limitUSD: Double?
  /// The window's length as configured, such as `7d`.
  public var timePeriod: String
  /// US dollars spent in the open window, by all nodes as far as the server has heard.
  public var spendUSD: Double
  /// US dollars left, negative once overshot; nil = no limit.
  public var remainingUSD: Double?
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// US dollars that reservations hold.
  public var reservedUSD: Double
  /// Whether the budget denies now.
  public var isExhausted: Bool

  /// A budget of this name without limit, spend and window; set what else is known.
  public init(name: String, timePeriod: String = "") {
    self.name = name
    self.timePeriod = timePeriod
    spendUSD = 0
    reservedUSD = 0
    isExhausted = false
  }

  /// Appends the budget as an entry of the list that is field `number`.
  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendText(1, name)
      if let limitUSD { bytes.appendPresentDouble(2, limitUSD) }
      bytes.appendText(3, timePeriod)
      bytes.appendDouble(4, spendUSD)
      if let remainingUSD { bytes.appendPresentDouble(5, remainingUSD) }
      if let resetsAtUnixMilliseconds {
        bytes.appendPresentInteger(6, UInt64(bitPattern: resetsAtUnixMilliseconds))
      }
      bytes.appendDouble(7, reservedUSD)
      bytes.appendFlag(8, isExhausted)
    }
  }
}
