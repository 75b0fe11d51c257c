public import BudgetModel

/// The fleet that a trace's requests are sent to, to see by how much budgets are passed.
public struct OverspendPlan: Sendable {
  /// How many nodes take the requests, in turns.
  public var nodes = 1
  /// From the decision about a request until its cost is known, in milliseconds.
  public var latencyMilliseconds: Int64 = 2_000
  /// How often nodes hear what others have spent, in milliseconds.
  public var intervalMilliseconds: Int64 = 1_000

  /// One node.
  public init() {}
}

/// The overspend of a scenario's requests.
public struct OverspendReport: Sendable {
  /// The scenario's name.
  public var name: String
  /// How many requests it has.
  public var requests = 0
  /// The sum of their costs.
  public var cost = PicoUSD.zero
  /// Decided by what is spent, as far as a node has heard.
  public var without = Mode()
  /// With a reservation for each.
  public var with = Mode()

  /// The outcome of one way to decide.
  public struct Mode: Sendable {
    /// How many requests were let through.
    public var admitted = 0
    /// How many were not.
    public var denied = 0
    /// The sum spent beyond the limits in force, over all windows of all budgets.
    public var overspent = PicoUSD.zero
    /// The budgets that were passed, the furthest beyond its limit first.
    public var passed: [Passed] = []
  }

  /// A budget that was passed in one of its windows.
  public struct Passed: Sendable {
    /// Which budget.
    public var key: BudgetKey
    /// The limit that was in force when it was passed, for the last time.
    public var limit: PicoUSD
    /// The sum spent beyond it.
    public var overspent: PicoUSD

    /// In parts of its limit; nil of a limit of 0.
    public var ratio: Double? { limit > .zero ? overspent.dollars / limit.dollars : nil }
  }
}
