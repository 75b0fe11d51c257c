public import BudgetModel

/// How a node stands with its fleet, at one instant.
public struct FleetStatus: Equatable, Sendable {
  /// Whether the last pass that ended has succeeded.
  public var isUp = false
  /// Whether the outage policy is in force: the store is away, or no pass has succeeded yet.
  public var isPartitioned = true
  /// The rule that filtering follows meanwhile.
  public var policy: OutagePolicy
  /// Since when the policy is in force, fleet time; nil: it is not.
  public var partitionedSince: Timestamp?
  /// Why the last pass failed; nil: it did not.
  public var failure: String?
  /// When the last pass succeeded, fleet time; nil: none has.
  public var lastPassAt: Timestamp?
  /// How long that is ago; before the first, since the start.
  public var lag = Duration.zero
  /// How many nodes the fleet had then, this one included; nil: not known yet.
  public var nodes: Int?
  /// Passes that succeeded.
  public var passesSucceeded = 0
  /// Passes that failed.
  public var passesFailed = 0
  /// Passes that were due while the one before had not ended: they were left out.
  public var passesSkipped = 0
  /// Passes that went through for some budgets only.
  public var passesPartial = 0
  /// Calls about what this node claims for its reservations.
  public var claims = ClaimCounts()
  /// Requests that had to wait for such calls.
  public var waiting = WaitingCounts()
  /// How the store's servers are.
  public var store = StoreHealth()
  /// How long passes took that succeeded, in nanoseconds.
  public var passDurations = Histogram(upperBounds: FleetStatus.passDurationBounds)
  /// Spend that came after its window had ended for the fleet, since the start.
  public var lateSpend = PicoUSD.zero
  /// Whether the store may evict budgets' keys.
  public var isEvictionUnsafe = false
  /// How often the store's clock has jumped by more than two seconds.
  public var clockJumps = 0
  /// Passes that could not count the nodes.
  public var nodesFaults = 0
  /// Whether the store's clock says what is not believed.
  public var isClockDoubted = false

  /// 100 µs to 10 s, in nanoseconds.
  static let passDurationBounds: [Int64] = [
    100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
    50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000,
    5_000_000_000, 10_000_000_000,
  ]

  /// Starts with nothing heard.
  public init(policy: OutagePolicy) { self.policy = policy }
}

/// Calls about what a node claims for its reservations, since the start.
public struct ClaimCounts: Equatable, Sendable {
  /// Calls on demand: round trips for reservations that waited.
  public var onDemand = 0
  /// Budgets that were told of what the node claims.
  public var told = 0
  /// Those of them that found the fleet learning what it has lost, so that nothing more was granted.
  public var learning = 0
  /// Whether the store's user may not keep claims.
  public var areRefused = false

  /// None.
  public init() {}
}

/// How the servers of the fleet's store are, as far as there is more than one.
public struct StoreHealth: Equatable, Sendable {
  /// The masters of a cluster.
  public var cluster: Cluster?
  /// How often sentinels had the link move to another master; nil: there are no sentinels.
  public var sentinelSwitches: Int?

  /// When the certificate that this node shows to Redis ends, in Unix seconds; nil: it shows none.
  public var certificateEnd: Int64?

  /// The masters of a cluster.
  public struct Cluster: Equatable, Sendable {
    /// Masters that answer.
    public var nodesUp: Int
    /// Masters that did not in the last pass.
    public var nodesAway: Int
    /// How often commands were sent elsewhere or had to wait, since the start.
    public var redirects: [Redirects]
    /// The largest difference between two masters' clocks.
    public var clockDifference: Duration

    /// Makes a state of a cluster.
    public init(
      nodesUp: Int, nodesAway: Int, redirects: [Redirects], clockDifference: Duration
    ) {
      self.nodesUp = nodesUp
      self.nodesAway = nodesAway
      self.redirects = redirects
      self.clockDifference = clockDifference
    }
  }

  /// One kind of a node's answers that are not what was asked for.
  public struct Redirects: Equatable, Sendable {
    /// Such as `moved`.
    public var kind: String
    /// How many.
    public var count: Int

    /// Makes a count.
    public init(kind: String, count: Int) {
      self.kind = kind
      self.count = count
    }
  }

  /// Of one server nothing more is to be said.
  public init() {}
}
