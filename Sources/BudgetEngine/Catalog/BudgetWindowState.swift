public import BudgetModel

/// One window of one budget, with what was spent in it.
public struct BudgetWindowState: Hashable, Sendable {
  /// The budget.
  public var key: BudgetKey
  /// When the window opened.
  public var start: Timestamp
  /// The last instant of the window.
  public var end: Timestamp
  /// What this node has spent in it.
  public var spend: PicoUSD
  /// What others have spent in it, as far as this node has heard.
  public var others: PicoUSD

  /// Makes a window.
  public init(
    key: BudgetKey, start: Timestamp, end: Timestamp, spend: PicoUSD, others: PicoUSD = .zero
  ) {
    self.key = key
    self.start = start
    self.end = end
    self.spend = spend
    self.others = others
  }
}
