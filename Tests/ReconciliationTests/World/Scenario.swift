import BudgetModel
import Reconciliation

/// The parts of a world, and the events that may happen in it.
struct Scenario: Sendable {
  var name: String
  var steps = 250
  var faults = Faults.none
  /// Lengths of the budgets' windows to choose from, in seconds.
  var lengths = [1_000_000]
  /// Whether windows follow each other as a calendar has them, and begin with no charge.
  var isCalendar = false
  /// Whether names have their budgets from patterns; a reload makes entries of some.
  var isDynamic = false
  /// Whether the store is a cluster of three nodes.
  var isCluster = false
  /// How far the nodes' clocks may be off before they have heard the store's.
  var nodeSkew = 0
  /// Increments by others, of steps.
  var foreign = 0.0
  /// Resets of the store alone, as if by hand, of steps.
  var reset = 0.0
  /// Operators' resets on a node, of steps.
  var nodeReset = 0.0
  /// Other configurations, of steps.
  var reload = 0.0
  /// Jumps of the store's clock, of steps; it comes back within a minute.
  var clockJump = 0.0
  /// How a node judges the store's clock.
  var believes: @Sendable (inout ClockTrust, ClockTrust.Reading) -> Bool = { $0.believes($1) }
  /// How reconcilers work otherwise than they should.
  var settings: @Sendable (inout ReconcilerSettings) -> Void = { _ in }
  /// LiteLLM proxies beside the nodes.
  var proxies = 0
  /// How far the proxies' clocks are off, in seconds: one of these, either way.
  var proxySkews = [0]
  /// Whether the spend key is exactly what was spent, once healed.
  var isSpendKeyExact = false
  /// Whether the spend key never holds more than was spent.
  var isSpendKeyBounded = true
  /// A node that tells something else of itself than it should.
  var news: @Sendable (World, SimulatedNode) -> LedgerNews = { world, node in
    node.news(at: world.time(of: node))
  }
  /// A link that sends something else than it is told to.
  var command: @Sendable ([[UInt8]]) -> [[UInt8]] = { $0 }

  var isShort: Bool { lengths.contains { $0 < 1_000 } }
}
