import BudgetModel
import Reconciliation
import SpendLedger

/// A member of a fleet, as far as it knows its standing.
struct FleetMemberState: Sendable {
  /// A window of the fleet as it was known at the start.
  struct Stored: Sendable {
    var start: Timestamp
    var nodes: Int
  }

  var standing: FleetStanding
  /// When the standing's instants were, fleet time.
  var startedAt: Timestamp
  var lastPassAt: Timestamp?
  /// The windows of the fleet that were known at the start, by budget.
  let stored: [BudgetKey: Stored]
  var passesSucceeded = 0
  var passesFailed = 0
  var passesSkipped = 0
  var passesPartial = 0
  var claims = ClaimCounts()
  var health = StoreHealth()
  var passDurations = Histogram(upperBounds: FleetStatus.passDurationBounds)
  var lateSpend = PicoUSD.zero
  var isEvictionUnsafe = false
  var clockJumps = 0
  var nodesFaults = 0
  /// Why operators' changes cannot be exchanged; nil: they can.
  var exchangeFault: String?
  var hasHeardClock = false
  /// The store's clock says what is not believed; nil: it does not.
  var clockDoubt: ClockDoubt?

  init(options: FleetOptions, startedAt: Timestamp, stored windows: [FleetWindow]) {
    standing = FleetStanding(staleness: options.stalenessInForce)
    self.startedAt = startedAt
    var stored: [BudgetKey: Stored] = [:]
    for (key, window) in FleetRestoring.inForce(windows, at: startedAt) {
      stored[key] = Stored(start: window.window.start, nodes: window.nodes)
    }
    self.stored = stored
  }
}
