public import BudgetModel

/// Everything that a ledger has to tell since it was asked last.
public struct LedgerChanges: Equatable, Sendable {
  /// Whether this is all that may still matter, in place of everything told before.
  public var isComplete: Bool
  /// Totals that have changed, or with `isComplete` those of all windows that are open or have
  /// ended lately.
  public var totals: [WindowTotal]
  /// With `isComplete`, what is known of the fleet's windows.
  public var fleet: [FleetWindow]

  /// Makes the changes.
  public init(isComplete: Bool, totals: [WindowTotal], fleet: [FleetWindow] = []) {
    self.isComplete = isComplete
    self.totals = totals
    self.fleet = fleet
  }
}

/// The spend that one life of the node has recorded in one window: committed, and all of it.
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
