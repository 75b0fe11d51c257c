public import BudgetModel

/// A window of the fleet that the ledger makes this node's own.
public struct FleetAdoption: Equatable, Sendable {
  /// The windows, by their start, whose spend is counted in it from now on.
  public var moving: [Timestamp]
  /// The windows, by their start, that end now, with their spend in them.
  public var closing: [Timestamp]
  /// The window, and what is known of it.
  public var record: FleetWindow
  /// The rest of an operator's reset; nil: the fleet has named the window.
  public var reset: WindowReset?

  /// Makes an adoption.
  public init(moving: [Timestamp], closing: [Timestamp], record: FleetWindow) {
    self.moving = moving
    self.closing = closing
    self.record = record
  }
}

/// An operator has ended a budget's window: every window that began before the new one ends the
/// millisecond before it.
public struct WindowReset: Equatable, Sendable {
  /// The spend that the new window begins with, as this life's.
  public var amount: PicoUSD
  /// Whether the fleet's row of the window is kept: without a fleet there is none.
  public var isInFleet: Bool
  /// The spend of others in the window that was open, as far as this node has heard.
  public var others: PicoUSD
  /// The change and its line of the audit, kept in the same transaction.
  public var notes: ChangeNotes

  /// Makes a reset of its parts.
  public init(amount: PicoUSD, others: PicoUSD, isInFleet: Bool, notes: ChangeNotes) {
    self.amount = amount
    self.others = others
    self.isInFleet = isInFleet
    self.notes = notes
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
