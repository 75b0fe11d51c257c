public import BudgetModel

/// What a node knows of its fleet and of the Redis that it agrees through. Read by pages, metrics,
/// readiness and Ping; made by whoever reconciles.
public struct FleetStatus: Sendable {
  /// What happens to filtering while Redis cannot be reached.
  public enum OutagePolicy: String, CaseIterable, Sendable {
    /// This node's own spend decides.
    case open
    /// Nothing is allowed: the node is not ready.
    case closed
    /// A share of what was left decides.
    case share
  }

  /// Whether the last pass reached Redis.
  public var isUp = false
  /// Whether the outage policy is in force.
  public var isPartitioned = false
  /// Which policy it is.
  public var policy = OutagePolicy.share
  /// When a pass last succeeded; nil: none yet.
  public var lastPass: Timestamp?
  /// How many nodes Redis knows, this one included.
  public var nodes = 0
  /// Passes that succeeded.
  public var passesOK: UInt64 = 0
  /// Passes that failed.
  public var passesFailed: UInt64 = 0
  /// Passes that were left out.
  public var passesSkipped: UInt64 = 0
  /// How long passes took, in nanoseconds.
  public var passDurations = Histogram(upperBounds: FleetStatus.passDurationBounds)
  /// What was spent and came after its window had ended.
  public var lateSpend = PicoUSD.zero
  /// Whether Redis may evict the keys of budgets.
  public var mayEvict = false

  /// 100 µs to 10 s, in nanoseconds.
  public static let passDurationBounds: [Int64] = [
    100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
    50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000,
    5_000_000_000, 10_000_000_000,
  ]

  /// The status before the first pass.
  public init() {}
}
