public import BudgetModel

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
  /// Whether models' budgets are wanted too.
  public var includesModels = false
  /// Only these models, at most 1,024; none = all.
  public var models: [String] = []
  /// Whether the budgets of pools and of the total are wanted too.
  public var includesPools = false
  /// The most budgets of a page, 1 to 1,000; 0 = 1,000.
  public var pageSize: UInt32 = 0
  /// The `nextPageToken` of the page before; empty = the first page.
  public var pageToken = ""
  /// A pattern, such as `user:*`, whose names' budgets are wanted instead of all others; empty: none.
  public var pattern = ""
  /// How many of them, nearest to their limits first, 1 to 1,000; 0 = 20.
  public var nearest: UInt32 = 0

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
      bytes.appendFlag(8, includesModels)
      bytes.appendFlag(9, includesPools)
      for model in models { bytes.appendEntry(10, model) }
      bytes.appendText(11, pattern)
      bytes.appendInteger(12, UInt64(nearest))
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
  /// Models' budgets, where asked for.
  public var models: [Budget] = []
  /// Pools' budgets, where asked for.
  public var pools: [Budget] = []
  /// The total's budgets, where asked for with the pools.
  public var total: [Budget] = []
  /// When the node last agreed with Redis, Unix milliseconds; nil = no Redis, or not yet.
  public var reconciledAtUnixMilliseconds: Int64?
  /// Asks for the next page; empty = this is the last.
  public var nextPageToken = ""
  /// The node's reservations; nil: a server before 0.7.0.
  public var reservations: ReservationTotals?

  /// An empty page.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.getProviderBudgets.rawValue) { bytes in
      for budget in providers { budget.append(as: 1, to: &bytes) }
      for budget in deployments { budget.append(as: 2, to: &bytes) }
      for budget in tags { budget.append(as: 3, to: &bytes) }
      bytes.appendInteger(4, UInt64(bitPattern: reconciledAtUnixMilliseconds ?? 0))
      bytes.appendText(5, nextPageToken)
      for budget in models { budget.append(as: 6, to: &bytes) }
      for budget in pools { budget.append(as: 7, to: &bytes) }
      for budget in total { budget.append(as: 8, to: &bytes) }
      reservations?.append(as: 9, to: &bytes)
    }
  }
}

/// The state of one budget. A name may have several, each with another `timePeriod`: LiteLLM's own
/// first, then the shortest window.
public struct Budget: Hashable, Sendable {
  /// The name within its scope.
  public var name: String
  /// US dollars that may be spent in one window; nil = no limit.
  public var limitUSD: Double?
  /// The window as configured, such as `7d` or `month`.
  public var timePeriod: String
  /// US dollars spent in the open window, by all nodes as far as the server has heard.
  public var spendUSD: Double
  /// US dollars left, negative once overshot; nil = no limit.
  public var remainingUSD: Double?
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// US dollars that reservations hold.
  public var reservedUSD: Double
  /// Whether the limit is reached, or the budget is frozen.
  public var isExhausted: Bool
  /// The budget's mode at its limit; nil: a mode of a later contract.
  public var mode: BudgetMode?
  /// The configuration's limit, where an operator has changed limit or mode; nil: none, or nobody has.
  public var configuredLimitUSD: Double?
  /// When an operator's change ends by itself, Unix milliseconds; nil: it does not, or there is none.
  public var overrideUntilUnixMilliseconds: Int64?
  /// The version of the change of the limit in force; empty: none is.
  public var overrideVersion = ""
  /// Why an operator changed limit or mode; empty: nobody did, or nobody said.
  public var overrideReason = ""
  /// The time zone of calendar windows; empty: the window begins with a charge.
  public var timeZone = ""
  /// The day that begins a window where it is not the first, such as `15` or `sunday`.
  public var beginsOn = ""
  /// How often it would have denied since the node started, where it only watches.
  public var wouldHaveDenied: UInt64 = 0
  /// The forecast at the rate of the last 15 minutes; nil: too little is known.
  public var quarterHourForecast: BudgetForecast?
  /// The same at the rate of the last 24 hours.
  public var dayForecast: BudgetForecast?
  /// Of a pattern, whose names have a budget each; nil: an ordinary budget. The row's own spend is then
  /// that of names that found no place.
  public var pattern: PatternNames?
  /// How many reservations of the node are open in it.
  public var openReservations: UInt32 = 0
  /// How much of `reservedUSD` is kept back for costs beyond their estimates.
  public var cushionUSD = 0.0
  /// How reservations in it are kept within the limit; nil: in a way of a later contract.
  public var reservationMode: ReservationMode? = .alone

  /// A budget of this name without limit, spend and window; set what else is known.
  public init(name: String, timePeriod: String = "") {
    self.name = name
    self.timePeriod = timePeriod
    spendUSD = 0
    reservedUSD = 0
    isExhausted = false
    mode = .enforce
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
      bytes.appendInteger(9, UInt64(mode?.rawValue ?? 0))
      if let configuredLimitUSD { bytes.appendPresentDouble(10, configuredLimitUSD) }
      if let overrideUntilUnixMilliseconds {
        bytes.appendPresentInteger(11, UInt64(bitPattern: overrideUntilUnixMilliseconds))
      }
      bytes.appendText(12, timeZone)
      bytes.appendText(13, beginsOn)
      bytes.appendInteger(14, wouldHaveDenied)
      quarterHourForecast?.append(as: 15, to: &bytes)
      dayForecast?.append(as: 16, to: &bytes)
      pattern?.append(as: 17, to: &bytes)
      bytes.appendInteger(18, UInt64(openReservations))
      bytes.appendDouble(19, cushionUSD)
      bytes.appendText(20, overrideVersion)
      bytes.appendText(21, overrideReason)
      bytes.appendInteger(22, UInt64(reservationMode?.rawValue ?? 0))
    }
  }
}

/// How reservations in a budget are kept within its limit.
public enum ReservationMode: UInt8, CaseIterable, Sendable {
  /// By this node alone.
  case alone
  /// By all nodes of a fleet together, at every instant.
  case strict
  /// By what was last heard of other nodes.
  case shared
}

/// A node's reservations, all budgets together.
public struct ReservationTotals: Hashable, Sendable {
  /// How many are open.
  public var open: UInt64 = 0
  /// How many may be.
  public var openBound: UInt64 = 0
  /// How many were settled since the start.
  public var settled: UInt64 = 0
  /// US dollars by which settled costs were above what was held for them, since the start.
  public var overrunUSD = 0.0
  /// US dollars recorded since the start.
  public var recordedUSD = 0.0
  /// How much of that came without an open reservation.
  public var unreservedUSD = 0.0
  /// Nodes that share budgets; 0: this one shares none.
  public var nodes: UInt32 = 0
  /// How often they agree, milliseconds.
  public var reconcileIntervalMilliseconds: UInt32 = 0

  /// Nothing was reserved.
  public init() {}

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendInteger(1, open)
      bytes.appendInteger(2, openBound)
      bytes.appendInteger(3, settled)
      bytes.appendDouble(4, overrunUSD)
      bytes.appendDouble(5, recordedUSD)
      bytes.appendDouble(6, unreservedUSD)
      bytes.appendInteger(7, UInt64(nodes))
      bytes.appendInteger(8, UInt64(reconcileIntervalMilliseconds))
    }
  }
}

/// The budgets that names have by a pattern.
public struct PatternNames: Hashable, Sendable {
  /// US dollars that each name may spend in one window; nil = no limit.
  public var limitUSD: Double?
  /// How many names have such a budget now.
  public var live: UInt64

  /// Names by a pattern, of its parts.
  public init(limitUSD: Double?, live: UInt64) {
    self.limitUSD = limitUSD
    self.live = live
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      if let limitUSD { bytes.appendPresentDouble(1, limitUSD) }
      bytes.appendInteger(2, live)
    }
  }
}

/// How a budget goes on if money goes on as fast as it went, the fleet's as far as it is heard of.
public struct BudgetForecast: Hashable, Sendable {
  /// US dollars a second.
  public var usdPerSecond: Double
  /// Over how many seconds that was measured.
  public var overSeconds: Double
  /// When the limit is reached, Unix milliseconds, before the window ends; nil: not in this window, or
  /// it is reached already, or there is none.
  public var exhaustsAtUnixMilliseconds: Int64?

  /// A forecast of its parts.
  public init(usdPerSecond: Double, overSeconds: Double, exhaustsAtUnixMilliseconds: Int64? = nil) {
    self.usdPerSecond = usdPerSecond
    self.overSeconds = overSeconds
    self.exhaustsAtUnixMilliseconds = exhaustsAtUnixMilliseconds
  }

  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendDouble(1, usdPerSecond)
      bytes.appendDouble(2, overSeconds)
      if let exhaustsAtUnixMilliseconds {
        bytes.appendPresentInteger(3, UInt64(bitPattern: exhaustsAtUnixMilliseconds))
      }
    }
  }
}
