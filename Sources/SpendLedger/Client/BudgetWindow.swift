public import BudgetModel

/// One window of one budget.
public struct BudgetWindow: Equatable, Sendable {
  /// The budget.
  public var key: BudgetKey
  /// When the window opened: with the budget, its identity.
  public var start: Timestamp
  /// The last instant of the window.
  public var end: Timestamp

  /// Makes a window.
  public init(key: BudgetKey, start: Timestamp, end: Timestamp) {
    self.key = key
    self.start = start
    self.end = end
  }
}

/// A window and what all lives of this node have recorded in it.
public struct SpentWindow: Equatable, Sendable {
  /// The window.
  public var window: BudgetWindow
  /// The total.
  public var spend: PicoUSD

  /// Makes a window with its spend.
  public init(window: BudgetWindow, spend: PicoUSD) {
    self.window = window
    self.spend = spend
  }
}
