/// What a ledger has to tell since it was asked last.
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
