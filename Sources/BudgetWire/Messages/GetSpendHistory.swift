public import BudgetModel

/// Asks for the windows of one budget and their spend.
public struct GetSpendHistoryRequest: Hashable, Sendable {
  /// The kind of thing that the budget applies to; nil is refused.
  public var scope: BudgetScope?
  /// The name within its scope; of the total `total`, or empty.
  public var name: String
  /// The window as configured, such as `7d` or `month`; empty where the name has one budget.
  public var window: String
  /// The most windows of a page, 1 to 1,000; 0 = 100.
  public var pageSize: UInt32 = 0
  /// The `nextPageToken` of the page before; empty = the first page.
  public var pageToken = ""

  /// Asks for the first page.
  public init(scope: BudgetScope?, name: String, window: String = "") {
    self.scope = scope
    self.name = name
    self.window = window
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.getSpendHistory.rawValue) { bytes in
      bytes.appendInteger(1, UInt64(scope?.rawValue ?? 0))
      bytes.appendText(2, name)
      bytes.appendText(3, window)
      bytes.appendInteger(4, UInt64(pageSize))
      bytes.appendText(5, pageToken)
    }
  }
}

/// The windows of one budget: one page, the newest first.
public struct GetSpendHistoryResponse: Hashable, Sendable {
  /// The budget's scope; nil: a scope of a later contract.
  public var scope: BudgetScope?
  /// The name within its scope.
  public var name = ""
  /// The window as configured.
  public var window = ""
  /// The open window on the first page, where one is open, then ended ones.
  public var windows: [SpendWindow] = []
  /// Asks for the next page; empty = this is the last.
  public var nextPageToken = ""
  /// The time zone of calendar windows; empty: a window begins with a charge.
  public var timeZone = ""

  /// An empty page.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.getSpendHistory.rawValue) { bytes in
      bytes.appendInteger(1, UInt64(scope?.rawValue ?? 0))
      bytes.appendText(2, name)
      bytes.appendText(3, window)
      for window in windows { window.append(as: 4, to: &bytes) }
      bytes.appendText(5, nextPageToken)
      bytes.appendText(6, timeZone)
    }
  }
}

/// The spend of one window of a budget.
public struct SpendWindow: Hashable, Sendable {
  /// Its first instant, Unix milliseconds.
  public var startUnixMilliseconds: Int64
  /// Its last instant, Unix milliseconds.
  public var endUnixMilliseconds: Int64
  /// US dollars committed in it.
  public var spendUSD = 0.0
  /// Whether `spendUSD` is of all nodes, as far as this one heard; else it is this node's own, which
  /// is everything where there is no Redis.
  public var isOfFleet = false
  /// The part of `spendUSD` that this node recorded.
  public var ownUSD = 0.0
  /// The limit in force at its end, in US dollars; nil = no limit, or it is not known.
  public var limitUSD: Double?
  /// Whether the limit was not noted.
  public var isLimitUnknown = false
  /// Whether it has not ended.
  public var isOpen = false
  /// Whether a reset ended it early.
  public var wasReset = false

  /// A window in which nothing was spent, without a limit; set what else is known.
  public init(startUnixMilliseconds: Int64, endUnixMilliseconds: Int64) {
    self.startUnixMilliseconds = startUnixMilliseconds
    self.endUnixMilliseconds = endUnixMilliseconds
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendInteger(1, UInt64(bitPattern: startUnixMilliseconds))
      bytes.appendInteger(2, UInt64(bitPattern: endUnixMilliseconds))
      bytes.appendDouble(3, spendUSD)
      bytes.appendFlag(4, isOfFleet)
      bytes.appendDouble(5, ownUSD)
      if let limitUSD { bytes.appendPresentDouble(6, limitUSD) }
      bytes.appendFlag(7, isLimitUnknown)
      bytes.appendFlag(8, isOpen)
      bytes.appendFlag(9, wasReset)
    }
  }
}
