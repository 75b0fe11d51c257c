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

  /// Budgets in which something is kept back here, or claimed by others.
  public func budgetsInUse() -> [BudgetKey] { engine.budgetsInUse() }

  /// Has the claims of a budget changed by what this node uses of it, at one instant.
  public func changeClaims(
    of key: BudgetKey, inWindowFrom start: Timestamp,
    _ change: (NodeUse, inout NodeClaims) -> Void
  ) {
    guard let budget = positions.withLock({ $0.byKey[key] }) else { return }
    let now = time.now()
    engine.changeClaims(of: budget, at: now) { use, claims in
      guard use.windowStart == start else { return }
      var changed = NodeClaims(claims)
      change(NodeUse(use, at: now), &changed)
      claims.others = changed.others
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
  init(_ claims: SlotClaims) {
    self.init()
    (others, ceiling, isTight) = (claims.others, claims.ceiling, claims.isTight)
    usableUntil = claims.usableUntil
  }
}
