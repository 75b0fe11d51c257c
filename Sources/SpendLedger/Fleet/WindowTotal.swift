public import BudgetModel

/// What one life of the node has recorded in one window: committed, and all of it.
public struct WindowTotal: Equatable, Sendable {
  /// The window.
  public var window: BudgetWindow
  /// The life of the node, `LedgerOpening.origin` of its time.
  public var origin: String
  /// The total.
  public var amount: PicoUSD

  /// Makes a total.
  public init(window: BudgetWindow, origin: String, amount: PicoUSD) {
    self.window = window
    self.origin = origin
    self.amount = amount
  }
}
