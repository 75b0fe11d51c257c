public import BudgetEngine
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

  /// How reservations in a budget are kept within its limit.
  public func mode(of key: BudgetKey) -> ClaimMode {
    let isEntry = positions.withLock { $0.byKey[key] != nil }
    return isEntry ? options.reservations.mode(of: key) : options.reservations.mode
  }

  /// How often this node agrees with the others.
  public var interval: Duration { options.interval }

  /// Budgets for which a reservation waits.
  public func budgetsWaitedFor() -> [BudgetKey] { waiting.budgets }

  /// How long the longest of those that wait for a budget would be held.
  public func waitingTime(for key: BudgetKey) -> Duration { waiting.longestTime(for: key) }

  /// This node's name in the names of its reservations.
  public var reservationNode: String { engine.reservationSettings.node }

  /// Whether a reservation of this node is open.
  public var hasReservations: Bool { engine.openReservations > 0 }

  /// A reservation of another node has ended here: that one is told, once the fleet has had time to hear
  /// what it has cost.
  public func hasEnded(_ id: ReservationID, wasSettled: Bool) {
    endedElsewhere.withLock {
      $0.add(EndedReservation(id.text, wasSettled: wasSettled), of: id.node)
    }
  }

  /// Others' reservations that have ended here.
  public func takeEnded() -> [String: [EndedReservation]] { endedElsewhere.withLock { $0.take() } }

  /// Reservations of this node have ended on others. Their names are others' words.
  public func end(_ ended: [EndedReservation]) {
    let now = time.now()
    for one in ended {
      guard let id = NameBytes.with(one.id, { ReservationID($0) }) else { continue }
      if one.wasSettled { engine.settledElsewhere(id) } else { _ = engine.release(id, at: now) }
    }
  }

  /// How long a reservation waits at most until the fleet was asked.
  public var reserveWait: Duration { options.reservations.wait }

  /// The amounts that wait for room in a budget.
  public func takeWaiting(for key: BudgetKey) -> [PicoUSD] { waiting.takeWaiting(for: key) }

  /// How much of a budget is needed by those that wait for room in another.
  public func keptForWaiting(of key: BudgetKey) -> PicoUSD { waiting.kept(of: key) }

  /// Those that wait for room in a budget are tried again.
  public func answerWaiting(for key: BudgetKey, free: PicoUSD?) {
    waiting.answered(key, free: free)
  }

  /// Reservations in a name's budget need no ceiling any more.
  public func dropClaims(of key: BudgetKey) {
    engine.changeClaims(ofDynamic: key, at: time.now()) { _, claims in
      let others = claims.others
      claims = SlotClaims()
      claims.others = others
    }
  }

  /// Has the claims of a budget changed by what this node uses of it, at one instant.
  public func changeClaims(
    of key: BudgetKey, inWindowFrom start: Timestamp,
    _ change: (NodeUse, inout NodeClaims) -> Void
  ) {
    let now = time.now()
    let step = { (use: BudgetUse, claims: inout SlotClaims) in
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
      claims.coveredUntil = isStrict ? changed.coveredUntil : .latest
    }
    if let budget = positions.withLock({ $0.byKey[key] }) {
      engine.changeClaims(of: budget, at: now, step)
    } else {
      engine.changeClaims(ofDynamic: key, at: now, step)
    }
  }
}

/// Others' reservations that have ended here, until their nodes are told.
struct EndedElsewhere: Sendable {
  /// Those of the pass before, and those since: what the latter have cost the fleet may not know yet.
  private var ready: [String: [EndedReservation]] = [:]
  private var fresh: [String: [EndedReservation]] = [:]
  private var count = 0

  /// More are not told: they end by their time.
  static let bound = 10_000

  mutating func add(_ ended: EndedReservation, of node: String) {
    guard count < Self.bound else { return }
    count += 1
    fresh[node, default: []].append(ended)
  }

  mutating func take() -> [String: [EndedReservation]] {
    defer { (ready, fresh, count) = (fresh, [:], fresh.values.reduce(0) { $0 + $1.count }) }
    return ready
  }
}

extension NodeUse {
  /// The longest time for which a reservation is held.
  private static let longestHold = Duration.seconds(3_600)

  /// The use as the engine tells it.
  init(_ use: BudgetUse, at now: Timestamp) {
    self.init(committed: use.spend)
    (pending, held, cushion) = (use.pending, use.held, use.cushion)
    (open, limit) = (use.openReservations, use.limit)
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
    (usableUntil, coveredUntil) = (claims.usableUntil, claims.coveredUntil)
    if ceiling != nil, let window = claims.windowStart, window != start { ceiling = .zero }
    if claims.isOfPolicy { ceiling = use.total }
  }
}
