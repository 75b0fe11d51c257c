public import BudgetModel

/// The ledger's news since it was asked last.
public struct LedgerNews: Sendable {
  /// Whether this is everything that may matter, in place of all told before.
  public var isComplete: Bool
  /// Totals, newer than any told before: one for each window and origin.
  public var totals: [OriginTotal]
  /// The fleet's windows as remembered; only with `isComplete`.
  public var records: [FleetRecord]

  /// Makes the news.
  public init(isComplete: Bool, totals: [OriginTotal], records: [FleetRecord] = []) {
    self.isComplete = isComplete
    self.totals = totals
    self.records = records
  }

  /// Both as one: these, and what was told after them.
  public func followed(by later: LedgerNews) -> LedgerNews {
    if later.isComplete { return later }
    return LedgerNews(isComplete: isComplete, totals: totals + later.totals, records: records)
  }
}

/// The spend of one life of the node in one window: it only grows.
public struct OriginTotal: Hashable, Sendable {
  /// Whose window.
  public var key: BudgetKey
  /// When the window opened.
  public var start: Timestamp
  /// Its last instant.
  public var end: Timestamp
  /// The life of the node: never used again.
  public var origin: String
  /// All that this origin has committed to the window.
  public var cumulative: PicoUSD

  /// Makes a total.
  public init(
    key: BudgetKey, start: Timestamp, end: Timestamp, origin: String, cumulative: PicoUSD
  ) {
    self.key = key
    self.start = start
    self.end = end
    self.origin = origin
    self.cumulative = cumulative
  }
}

/// One of the fleet's windows as remembered; that it is kept says that the node has adopted it.
public struct FleetRecord: Hashable, Sendable {
  /// Whose window.
  public var key: BudgetKey
  /// When the window opened, as the fleet knows it.
  public var start: Timestamp
  /// Its last instant on the fleet's clock.
  public var end: Timestamp
  /// The fleet's total at the last pass, this node's part included.
  public var total: PicoUSD
  /// The spend key when the store last confirmed something of this node's: it only grows after.
  public var highest: PicoUSD
  /// The totals of this node's own that the store has confirmed, by origin.
  public var confirmed: [String: PicoUSD]
  /// How many nodes the fleet had.
  public var nodes: Int
  /// When that was, fleet time.
  public var at: Timestamp

  /// Makes the record of a window of which nothing is known yet.
  public init(key: BudgetKey, start: Timestamp, end: Timestamp, at: Timestamp) {
    self.key = key
    self.start = start
    self.end = end
    total = .zero
    highest = .zero
    confirmed = [:]
    nodes = 1
    self.at = at
  }
}

/// A window of the fleet that the node makes its own.
public struct WindowAdoption: Hashable, Sendable {
  /// Whose window.
  public var key: BudgetKey
  /// The node's own windows whose spend is counted in the fleet's from now on, by their start: all
  /// that was recorded in them, and what is recorded until the adoption is done. Those that are the
  /// fleet's window already are left as they are.
  public var moving: [Timestamp]
  /// The node's own windows that end here, with their spend in them: a start does not find them open.
  public var closing: [Timestamp]
  /// The window: from now on the one that charges are counted in, until its end.
  public var record: FleetRecord

  /// Makes an adoption.
  public init(
    key: BudgetKey, moving: [Timestamp], closing: [Timestamp], record: FleetRecord
  ) {
    self.key = key
    self.moving = moving
    self.closing = closing
    self.record = record
  }
}

/// The spend of others in a budget's window.
public struct FleetView: Hashable, Sendable {
  /// The budget's position in `FleetBudgets.budgets`.
  public var budget: Int
  /// When the window opened.
  public var start: Timestamp
  /// Their spend in it.
  public var others: PicoUSD

  /// Makes a view.
  public init(budget: Int, start: Timestamp, others: PicoUSD) {
    self.budget = budget
    self.start = start
    self.others = others
  }
}

/// The spend of others in the window of a budget that a name has from a pattern.
public struct DynamicView: Hashable, Sendable {
  /// The budget.
  public var key: BudgetKey
  /// When the window opened.
  public var start: Timestamp
  /// Their spend in it.
  public var others: PicoUSD

  /// Makes a view.
  public init(key: BudgetKey, start: Timestamp, others: PicoUSD) {
    self.key = key
    self.start = start
    self.others = others
  }
}
