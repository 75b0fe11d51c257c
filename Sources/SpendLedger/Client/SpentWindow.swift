public import BudgetModel

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
