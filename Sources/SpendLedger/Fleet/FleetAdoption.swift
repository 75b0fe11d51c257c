public import BudgetModel

/// A window of the fleet that the ledger makes this node's own.
public struct FleetAdoption: Equatable, Sendable {
  /// The windows, by their start, whose spend is counted in it from now on.
  public var moving: [Timestamp]
  /// The windows, by their start, that end now, with their spend in them.
  public var closing: [Timestamp]
  /// The window, and what is known of it.
  public var record: FleetWindow

  /// Makes an adoption.
  public init(moving: [Timestamp], closing: [Timestamp], record: FleetWindow) {
    self.moving = moving
    self.closing = closing
    self.record = record
  }
}

/// A window of the fleet that is this node's own from now on.
public struct AdoptedWindow: Equatable, Sendable {
  /// The window, and what all lives of this node have recorded in it.
  public var spent: SpentWindow
  /// The last known spend of others in it.
  public var others: PicoUSD
  /// The windows, by their start, that it takes the place of.
  public var replaced: [Timestamp]

  /// Makes an adopted window.
  public init(spent: SpentWindow, others: PicoUSD, replaced: [Timestamp]) {
    self.spent = spent
    self.others = others
    self.replaced = replaced
  }
}
