/// How a node is part of a fleet.
public struct FleetOptions: Sendable {
  /// The rule that filtering follows while the store is away.
  public var policy = OutagePolicy.share
  /// How many nodes share the limits, where nothing has told yet; nil: not given, taken for 1.
  public var size: Int?
  /// How often this node agrees with the others.
  public var interval = Duration.seconds(1)
  /// How long after the last pass that succeeded the store counts as away; nil: three intervals, 3 s
  /// at least.
  public var staleness: Duration?
  /// How reservations are kept within the limits that nodes share.
  public var reservations = FleetReservations()
  /// The largest difference between the store's clock and fleet time that is not a jump: a greater
  /// one is followed only when this host's clock agrees, or after a minute.
  public var clockJumpBound = Duration.seconds(3_600)

  /// Makes the standard options.
  public init() {}

  /// How long after the last pass that succeeded the store counts as away.
  public var stalenessInForce: Duration { staleness ?? max(interval * 3, .seconds(3)) }
}

/// The rule that filtering follows while the store is away, as `--outage-policy` says.
public enum OutagePolicy: String, CaseIterable, Sendable {
  /// By what this node knows: its own spend, and others' as it was heard last.
  case open
  /// Nothing passes that has a budget.
  case closed
  /// Each node gives out its part of what was left of each limit.
  case share
}
