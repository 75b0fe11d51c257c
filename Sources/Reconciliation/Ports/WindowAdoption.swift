public import BudgetModel

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

/// What others have spent in a budget's window.
public struct FleetView: Hashable, Sendable {
  /// The budget's position in `FleetBudgets.budgets`.
  public var budget: Int
  /// When the window opened.
  public var start: Timestamp
  /// What others have spent in it.
  public var others: PicoUSD

  /// Makes a view.
  public init(budget: Int, start: Timestamp, others: PicoUSD) {
    self.budget = budget
    self.start = start
    self.others = others
  }
}
