public import ArgumentParser
public import BudgetFleet
public import Reconciliation

/// How the node is part of a fleet; without a Redis none of it has a meaning.
struct FleetArguments: ParsableArguments {
  @Option(
    help: """
      While Redis is away: share, each node gives out its part of what is left of each limit; open, \
      budgets go by what the node knows; closed, requests that have a budget are refused.
      """)
  var outagePolicy = OutagePolicy.share

  @Option(
    help: ArgumentHelp(
      "Nodes that share the limits, for --outage-policy share before Redis was ever reached; 1 if "
        + "not given.", valueName: "count"))
  var fleetSize: Int?

  @Option(
    help: ArgumentHelp("How often the node agrees with the others.", valueName: "milliseconds"))
  var reconcileIntervalMs = 1_000

  @Option(
    help: """
      strict, the limit holds over all nodes: a reservation waits for the fleet's word where it has to; \
      shared, it goes by what others held at the last pass, and nodes can pass a limit together.
      """)
  var reservations = ClaimMode.strict

  @Option(
    help: ArgumentHelp(
      "Budgets that are 'shared', whatever --reservations says. May be given again for more.",
      valueName: "scope | scope:name | scope:beginning*"))
  var sharedBudget: [SharedBudgets] = []

  @Option(
    help: ArgumentHelp(
      "How long a reservation waits at most for the fleet's word; past it it is UNAVAILABLE.",
      valueName: "milliseconds"))
  var reserveWait = 1_000

  @Option(
    help: ArgumentHelp(
      "A greater jump of Redis' clock is followed only when this host's clock agrees, or when Redis "
        + "has told the same for 60 s; until then the node is not ready.", valueName: "seconds"))
  var clockJumpBoundS = 3_600

  func validate() throws {
    if let fleetSize, !(1...10_000).contains(fleetSize) {
      throw ValidationError("--fleet-size \(fleetSize): give 1 to 10000")
    }
    guard (50...60_000).contains(reconcileIntervalMs) else {
      throw ValidationError(
        "--reconcile-interval-ms \(reconcileIntervalMs): give 50 to 60000 milliseconds")
    }
    guard (10...60_000).contains(reserveWait) else {
      throw ValidationError("--reserve-wait \(reserveWait): give 10 to 60000 milliseconds")
    }
    guard (10...31_536_000).contains(clockJumpBoundS) else {
      throw ValidationError("--clock-jump-bound-s \(clockJumpBoundS): give 10 to 31536000 seconds")
    }
  }

  /// The server's options.
  var options: FleetOptions {
    var options = FleetOptions()
    options.policy = outagePolicy
    options.size = fleetSize
    options.interval = .milliseconds(reconcileIntervalMs)
    options.clockJumpBound = .seconds(clockJumpBoundS)
    options.reservations.mode = reservations
    options.reservations.shared = sharedBudget
    options.reservations.wait = .milliseconds(reserveWait)
    return options
  }
}

extension OutagePolicy: ExpressibleByArgument {}

extension ClaimMode: ExpressibleByArgument {}

extension SharedBudgets: ExpressibleByArgument {
  /// Reads the option's value.
  public init?(argument: String) { self.init(argument) }
}
