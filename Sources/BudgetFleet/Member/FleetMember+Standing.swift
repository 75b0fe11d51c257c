import BudgetEngine
public import BudgetModel
import Dispatch
import Locks
import Logging
import Synchronization

extension FleetMember {
  /// The standing is looked at so often, so that a pass that hangs does not hide an outage.
  private static let tickInterval = DispatchTimeInterval.milliseconds(250)

  /// A pass has succeeded: `nodes` there were, this one included; nil: they could not be counted.
  public func passSucceeded(nodes: Int?, took duration: Duration = .zero) {
    let (now, elapsed) = (time.now(), elapsed)
    change { state in
      state.passesSucceeded += 1
      state.passDurations.add(duration.nanoseconds)
      state.lastPassAt = now
      if nodes == nil { state.nodesFaults += 1 }
      return state.standing.passSucceeded(
        at: elapsed, nodes: nodes.map { max($0, 1) }, took: duration)
    }
  }

  /// A pass has failed, and why. Whatever but the clock it was, the clock was not heard: the outage
  /// policy alone says whether the node is ready.
  public func passFailed(_ reason: String, forItsClock isClockDoubted: Bool = false) {
    let elapsed = elapsed
    change { state in
      if !isClockDoubted { state.clockDoubt = nil }
      state.passesFailed += 1
      return state.standing.passFailed(reason, at: elapsed)
    }
  }

  /// A pass went through for some budgets only, and why not for the others.
  public func passWasPartial(_ reason: String) {
    let elapsed = elapsed
    change { state in
      state.clockDoubt = nil
      state.passesPartial += 1
      return state.standing.passFailed(reason, at: elapsed, isPartial: true)
    }
  }

  /// Why operators' changes cannot be exchanged; nil: they can.
  func noteExchange(fault: String?) { state.withLock { $0.exchangeFault = fault } }

  /// How the store's servers are.
  public func note(_ health: StoreHealth) { state.withLock { $0.health = health } }

  /// So many passes were due while one lasted, and were left out.
  public func passesSkipped(_ count: Int) { state.withLock { $0.passesSkipped += count } }

  /// Spend came after its window had ended for the fleet: the ledger keeps it, the fleet's total
  /// lacks it.
  public func addLate(_ amount: PicoUSD) { state.withLock { $0.lateSpend += amount } }

  /// Whether the store may evict budgets' keys.
  public func noteEviction(isUnsafe: Bool) { state.withLock { $0.isEvictionUnsafe = isUnsafe } }

  /// How this node stands with its fleet.
  public var status: FleetStatus {
    let elapsed = elapsed
    let waiting = waiting.counts
    return state.withLock { state in
      var status = FleetStatus(policy: options.policy)
      status.waiting = waiting
      status.isUp = state.standing.lastPass != nil && state.standing.failure == nil
      status.isPartitioned = state.standing.isPolicyInForce
      status.partitionedSince =
        status.isPartitioned ? state.lastPassAt ?? state.startedAt : nil
      status.failure = state.standing.failure
      status.lastPassAt = state.lastPassAt
      status.lag = elapsed - (state.standing.lastPass ?? .zero)
      status.nodes = state.standing.nodes
      status.passesSucceeded = state.passesSucceeded
      status.passesFailed = state.passesFailed
      status.passesSkipped = state.passesSkipped
      status.passesPartial = state.passesPartial
      status.claims = state.claims
      status.store = state.health
      status.passDurations = state.passDurations
      status.lateSpend = state.lateSpend
      status.isEvictionUnsafe = state.isEvictionUnsafe
      status.clockJumps = state.clockJumps
      status.nodesFaults = state.nodesFaults
      status.isClockDoubted = state.clockDoubt != nil
      return status
    }
  }

  /// Puts the outage policy in force, until the first pass has succeeded, and watches the time.
  public func start() {
    if options.policy == .share, options.size == nil {
      log.notice(
        """
        --fleet-size is not given: until the first pass this node takes itself for the only one, \
        and may give out all that is left of each limit
        """)
    }
    changing.withLock { _ in
      placeCeilings()
      carryOut([.beginPolicy])
    }
    waiting.beginTiming()
    scheduleTick()
  }

  /// Watches no more.
  public func stop() { isStopped.store(true, ordering: .relaxed) }

  private func scheduleTick() {
    DispatchQueue.global().asyncAfter(deadline: .now() + Self.tickInterval) { [weak self] in
      guard let self, !isStopped.load(ordering: .relaxed) else { return }
      look()
      scheduleTick()
    }
  }

  /// Looks at the standing now: the store may have been away for too long.
  public func look() {
    let elapsed = elapsed
    change { $0.standing.tick(at: elapsed) }
    changing.withLock { _ in renewCeilings() }
  }

  private func change(_ step: (inout FleetMemberState) -> [FleetStanding.Action]) {
    changing.withLock { _ in carryOut(state.withLock { step(&$0) }) }
  }

  private func carryOut(_ actions: [FleetStanding.Action]) {
    for action in actions {
      switch action {
      case .beginPolicy:
        switch options.policy {
        case .open: break
        case .closed: isClosed.store(true, ordering: .relaxed)
        case .share: withhold()
        }
      case .endPolicy:
        isClosed.store(false, ordering: .relaxed)
        engine.endWithholding()
        setCeilings(by: .fleet)
      case .beginOwnCeilings:
        switch options.policy {
        case .open: setCeilings(by: .nobody)
        // No ceiling is granted any more, and none is given out.
        case .closed: break
        case .share: setCeilings(by: .share(nodes: state.withLock { $0.standing.nodes }))
        }
      case .announce: log.error("\(outageText). \(policyText); recording goes on")
      case .announceEnd(let duration):
        let nodes = state.withLock { $0.standing.nodes ?? 1 }
        log.notice(
          "in touch with the store after \(duration.rounded) s; the fleet has \(nodes) nodes")
      }
    }
  }

  /// The configuration is another: what is new in it is shared out too.
  public func reloaded() { changing.withLock { _ in takeLimits() } }

  /// The limits in force are others. One call at a time.
  func takeLimits() {
    placeCeilings()
    let isInForce = state.withLock { $0.standing.isPolicyInForce }
    if isInForce, options.policy == .share { withhold() }
  }

  /// Leaves other nodes their parts of what is left of each limit.
  private func withhold() {
    let now = time.now()
    let (nodes, stored) = state.withLock { ($0.standing.nodes, $0.stored) }
    let size = options.size ?? 1
    for budget in engine.catalog.budgets {
      var inWindow = nodes ?? size
      if nodes == nil, let known = stored[budget.definition.key],
        engine.isOpen(budget, windowFrom: known.start, at: now)
      {
        inWindow = known.nodes
      }
      engine.withhold(of: budget, nodes: inWindow, nextNodes: nodes ?? size, at: now)
    }
    engine.withholdOfDynamicBudgets(nodes: nodes ?? size, at: now)
  }
}

extension Duration {
  /// Seconds with one decimal.
  fileprivate var rounded: String {
    let tenths = (wholeMilliseconds + 50) / 100
    return "\(tenths / 10).\(tenths % 10)"
  }
}
