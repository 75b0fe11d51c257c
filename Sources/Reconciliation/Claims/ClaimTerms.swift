/// The times and bounds of claims.
public struct ClaimTerms: Sendable {
  /// How long a ceiling is used after the call that brought it was sent: nine passes may fail.
  public var useTime = Duration.seconds(10)
  /// So much sooner nothing more is admitted under it.
  public var margin = Duration.seconds(1)
  /// A claim outlives the use of its ceiling, and the longest hold taken under it, by so much.
  public var lifeMargin = Duration.seconds(5)
  /// How long holds last that may be taken under a surplus.
  public var holdTime = Duration.seconds(120)
  /// For so long after a long absence no raise is asked for: others' claims may have ended, and are
  /// repeated by then.
  public var learningTime = Duration.seconds(2)
  /// How often a claim that nobody needs is looked at, near the limit.
  public var giveBackInterval = Duration.milliseconds(200)
  /// For so long after its last use a shared budget goes on asking for others' claims.
  public var recentUse = Duration.seconds(10)
  /// For so much longer the store's list of claimed budgets names one: it is written once in that time.
  public var listingTime = Duration.seconds(60)
  /// A surplus of so many reservations is worth a call.
  public var unitReservations = 2
  /// Amounts that one call lists.
  public var waitingBound = 64
  /// From one call on demand to the next.
  public var demandGap = Duration.milliseconds(5)
  /// The same while the fleet learns what it has lost.
  public var learningGap = Duration.milliseconds(100)
  /// How long a refused amount is refused without asking.
  public var refusalMemory = Duration.milliseconds(100)

  /// The standard ones.
  public init() {}

  /// How long a claim stands after a call about it.
  func life(of use: NodeUse, waiting: Duration = .zero, hasSurplus: Bool) -> Duration {
    useTime + lifeMargin + max(use.longestRest, waiting, hasSurplus ? holdTime : .zero)
  }
}
