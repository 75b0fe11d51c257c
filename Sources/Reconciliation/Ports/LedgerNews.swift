public import BudgetModel

/// What the ledger has to tell since it was asked last.
public struct LedgerNews: Sendable {
  /// Whether this is everything that may matter, in place of all told before.
  public var isComplete: Bool
  /// Totals, newer than any told before: one for each window and origin.
  public var totals: [OriginTotal]
  /// What was remembered of the fleet's windows; only with `isComplete`.
  public var records: [FleetRecord]

  /// Makes the news.
  public init(isComplete: Bool, totals: [OriginTotal], records: [FleetRecord] = []) {
    self.isComplete = isComplete
    self.totals = totals
    self.records = records
  }
}

/// What one life of the node has spent in one window: it only grows.
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

/// What is known of one of the fleet's windows; that it is kept says that the node has adopted it.
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
  /// What the store has confirmed of this node's own, by origin.
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
