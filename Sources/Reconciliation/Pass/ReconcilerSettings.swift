/// How reconciling works: its rhythm and its bounds.
public struct ReconcilerSettings: Sendable {
  /// From one pass to the next.
  public var interval = Duration.seconds(1)
  /// The shortest way from one pass to the next, when a budget is near its limit.
  public var shortestInterval = Duration.milliseconds(50)
  /// How much of what remains of a budget may be spent unseen between two passes.
  public var unseenPart = 0.02
  /// Past so many budgets a pass looks at those without news in turns.
  public var pullBound = 20_000
  /// Script calls that go out at once.
  public var mergeBound = 500
  /// Budgets whose windows are asked for at once.
  public var settleBound = 1_000
  /// Windows that the node adopts in one transaction.
  public var adoptionBound = 500
  /// How long a budget without news goes without a look at its marker.
  public var markerCheckMilliseconds: Int64 = 60_000
  /// How long a node counts as living after its last pass.
  public var nodeMemoryMilliseconds: Int64 = 10_000
  /// How often what is known of the fleet is kept for the next start.
  public var rememberMilliseconds: Int64 = 5_000
  /// How long windows that have ended are watched for spend that comes late.
  public var endedWindowMemoryMilliseconds: Int64 = 600_000
  /// The store's clock moves by less during one pass: a greater step ends the pass.
  public var clockStepMilliseconds: Int64 = 60_000
  /// How many budgets near their limit are looked at in short passes.
  public var urgentBound = 64

  /// How long news of a dynamic budget that is far from its limit waits.
  public var longestNewsWait = Duration.seconds(10)
  /// Dynamic budgets whose news one pass tells, but at the end of their windows.
  public var toldBound = 12_000
  /// Dynamic budgets without news whose markers one pass looks at.
  public var checkBound = 1_000
  /// Resting dynamic budgets that one pass goes through in turns.
  public var visitBound = 100_000

  /// How budgets are claimed for reservations.
  public var claims = ClaimTerms()

  /// The standard ones.
  public init() {}
}
