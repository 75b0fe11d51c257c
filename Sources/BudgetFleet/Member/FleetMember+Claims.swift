import BudgetEngine
public import BudgetModel
import Locks
public import Reconciliation
import SpendLedger

extension FleetMember {
  /// The name of this life of the node.
  public var origin: String { ledger.opening.origin }

  /// Lives of this directory before this one; none where it may be a copy.
  public var endedLives: [String] { ledger.opening.endedOrigins }

  /// Budgets in which something is kept back here, or claimed by others, or for which a reservation waits.
  public func budgetsInUse() -> [BudgetKey] {
    let used = engine.budgetsInUse(at: time.now())
    let waitedFor = waiting.budgets
    if waitedFor.isEmpty { return used }
    let known = Set(used)
    return used + waitedFor.filter { !known.contains($0) }
  }

  /// How long a reservation waits at most until the fleet was asked.
  public var reserveWait: Duration { options.reservations.wait }

  /// The amounts that wait for room in a budget.
  public func takeWaiting(for key: BudgetKey) -> [PicoUSD] { waiting.takeWaiting(for: key) }

  /// How much of a budget is needed by those that wait for room in another.
  public func keptForWaiting(of key: BudgetKey) -> PicoUSD { waiting.kept(of: key) }

  /// Those that wait for room in a budget are tried again.
  public func answerWaiting(for key: BudgetKey, wasListed: Bool) {
    waiting.answered(key, wasListed: wasListed)
  }

  /// Has the claims of a budget changed by what this node uses of it, at one instant.
  public func changeClaims(
    of key: BudgetKey, inWindowFrom start: Timestamp,
    _ change: (NodeUse, inout NodeClaims) -> Void
  ) {
    guard let budget = positions.withLock({ $0.byKey[key] }) else { return }
    let now = time.now()
    engine.changeClaims(of: budget, at: now) { use, claims in
      guard use.windowStart == start else { return }
      let use = NodeUse(use, at: now)
      var changed = NodeClaims(claims, inWindowFrom: start, use)
      change(use, &changed)
      claims.others = changed.others
      // A ceiling that an outage policy gave out holds until the store has granted something.
      if claims.isOfPolicy, changed.usableUntil == .latest { return }
      claims.ceiling = changed.ceiling
      claims.isTight = changed.isTight
      let isStrict = changed.ceiling != nil
      claims.usableUntil = isStrict ? changed.usableUntil : .latest
      claims.windowStart = isStrict ? start : nil
    }
  }
}

extension NodeUse {
  /// The longest time for which a reservation is held.
  private static let longestHold = Duration.seconds(3_600)

  /// The use as the engine tells it.
  init(_ use: BudgetUse, at now: Timestamp) {
    self.init(committed: use.spend)
    (pending, held, cushion) = (use.pending, use.held, use.cushion)
    open = use.openReservations
    guard held > .zero else { return }
    // Ends are known where they are written down.
    longestRest =
      use.lastEndSeconds == .min
      ? Self.longestHold
      : .milliseconds(max(0, use.lastEndSeconds * 1_000 - now.unixMilliseconds))
  }
}

extension NodeClaims {
  /// The claims as the rules know them. A ceiling of another window is none of this one's; of what a policy
  /// gave out the store knows nothing, so that none of it is a surplus that the node may keep.
  init(_ claims: SlotClaims, inWindowFrom start: Timestamp, _ use: NodeUse) {
    self.init()
    (others, ceiling, isTight) = (claims.others, claims.ceiling, claims.isTight)
    usableUntil = claims.usableUntil
    if ceiling != nil, let window = claims.windowStart, window != start { ceiling = .zero }
    if claims.isOfPolicy { ceiling = use.total }
  }
}
