public import BudgetEngine
public import BudgetModel
import Locks
public import Logging
public import Reconciliation
public import SpendLedger
import Synchronization

/// The parts of the process that a member of a fleet needs.
public struct FleetSurroundings: Sendable {
  let engine: BudgetEngine
  let ledger: SpendLedger
  /// Fleet time; the store's clock moves it where it is a `FleetClock`.
  let time: any TimeSource
  let log: Logger
  /// The changes that operators make on this node; nil: nothing is exchanged.
  public var changes: (any SharedChanges)?
  /// The alerts of this node; nil: it has none.
  public var alerts: (any SharedAlerts)?
  /// The time that has passed since some instant, asleep or awake.
  public var uptime: @Sendable () -> Duration

  /// Makes them, with the machine's own uptime.
  public init(
    engine: BudgetEngine, ledger: SpendLedger, time: any TimeSource, log: Logger,
    changes: (any SharedChanges)? = nil
  ) {
    self.engine = engine
    self.changes = changes
    self.ledger = ledger
    self.time = time
    self.log = log
    let start = ContinuousClock.now
    uptime = { ContinuousClock.now - start }
  }
}

/// This node as a member of its fleet: what reconciling reads and changes of it, and what it does
/// while the store is away.
///
/// Reconciling calls from one thread; everything else may come from any.
public final class FleetMember: FleetNode, Sendable {
  /// The positions of budgets in the last catalog that was handed out.
  struct Positions {
    var generation: UInt64?
    var budgets: CatalogBudgets?
    var byKey: [BudgetKey: CatalogBudget] = [:]
  }

  let engine: BudgetEngine
  let options: FleetOptions
  let log: Logger
  let time: any TimeSource
  private let clock: FleetClock?
  let ledger: SpendLedger
  let positions = Locked(Positions())
  let state: Locked<FleetMemberState>
  /// One change of standing at a time, with all that follows from it.
  let changing = Locked<Void>(())
  /// Whether requests that have a budget are refused.
  let isClosed = Atomic<Bool>(false)
  let isStopped = Atomic<Bool>(false)
  let uptime: @Sendable () -> Duration
  let changes: (any SharedChanges)?
  let alerts: (any SharedAlerts)?
  /// Requests that wait for the fleet's word on a reservation.
  public let waiting: FleetWaiting
  /// Who may reserve how much without asking, where the fleet is to be asked.
  let ceilings = Locked(Ceilings())
  /// Others' reservations that have ended here.
  let endedElsewhere = Locked(EndedElsewhere())
  /// Whether a change was made here that the store is to be told at once.
  let mustTell = Atomic<Bool>(false)
  private let ledgerDesk: LedgerDesk
  private let started: Duration

  /// Makes the member; it says nothing and watches nothing until `start`.
  public init(_ surroundings: FleetSurroundings, options: FleetOptions) {
    engine = surroundings.engine
    ledger = surroundings.ledger
    time = surroundings.time
    clock = time as? FleetClock
    log = surroundings.log
    uptime = surroundings.uptime
    changes = surroundings.changes
    alerts = surroundings.alerts
    started = uptime()
    let waiting = FleetWaiting(uptime: uptime)
    self.waiting = waiting
    ledgerDesk = LedgerDesk(ledger) { waiting.count > 0 }
    self.options = options
    state = Locked(
      FleetMemberState(
        options: options, startedAt: time.now(),
        stored: FleetRestoring.named(ledger.opening.fleet, in: engine.catalog)))
  }

  /// Eight hexadecimal digits, this node's name in the fleet.
  public var nodeID: String { ledger.opening.nodeID }

  /// The budgets in force, where they are others than under `generation`; nil: the same.
  public func budgets(otherThan generation: UInt64?) -> FleetBudgets? {
    // By the edition: a limit that was changed while the process runs counts too.
    guard generation != engine.catalogEdition else { return nil }
    let catalog = engine.catalog
    positions.withLock {
      $0.generation = catalog.edition
      $0.budgets = catalog.budgets
      $0.byKey = Dictionary(
        catalog.budgets.map { ($0.definition.key, $0) }, uniquingKeysWith: { first, _ in first })
    }
    return FleetBudgets(catalog, options.reservations)
  }

  /// Everything that was recorded since the last call: committed totals only.
  public func news() throws(FleetNodeError) -> LedgerNews {
    try ledgerDesk.news()
  }

  /// The same; nil where the ledger does not answer while a reservation waits for the pass.
  public func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    try ledgerDesk.newsSoFar()
  }

  /// Makes the named windows this node's own: in the ledger, each in one transaction, then in the
  /// engine, before another record is labelled.
  public func adopt(_ adoptions: [WindowAdoption]) throws(FleetNodeError) {
    let named = adoptions.map {
      FleetAdoption(moving: $0.moving, closing: $0.closing, record: $0.record.fleetWindow)
    }
    let result = changes?.inTurn { adopt(named) } ?? adopt(named)
    try result.get()
  }

  private func adopt(_ adoptions: [FleetAdoption]) -> Result<Void, FleetNodeError> {
    // An operator may have ended it since the pass began to look for it.
    let reset = adoptions.first { isReset($0.record.window) }
    if let window = reset?.record.window {
      return .failure(FleetNodeError("the window of \(window.key) was reset meanwhile"))
    }
    do throws(LedgerError) {
      return .success(try ledger.adopt(adoptions))
    } catch {
      return .failure(FleetNodeError("\(error)"))
    }
  }

  /// Whether an operator has ended the window.
  private func isReset(_ window: BudgetWindow) -> Bool {
    guard let start = changes?.resets[window.key], window.start < start, window.end >= start,
      let rule = try? WindowRule(text: window.key.windowText)
    else { return false }
    // A host whose clock is behind may have begun a later one that seems to be older.
    return rule.rollingLength == nil || window.end <= rule.window(at: start).end
  }

  /// Takes others' spend of budgets, by position among the budgets of `generation`.
  public func show(_ views: [FleetView], of generation: UInt64) {
    let positions = positions.withLock { $0 }
    guard positions.generation == generation, let budgets = positions.budgets else { return }
    for view in views where budgets.indices.contains(view.budget) {
      engine.show(others: view.others, of: budgets[view.budget], inWindowFrom: view.start)
    }
  }

  /// Takes others' spend of budgets that names have from patterns, by key.
  public func showDynamic(_ views: [DynamicView]) {
    for view in views {
      engine.show(others: view.others, ofDynamic: view.key, inWindowFrom: view.start)
    }
  }

  /// Keeps what is known of the fleet's windows, for the next start.
  public func remember(_ records: [FleetRecord]) throws(FleetNodeError) {
    try ledgerDesk.remember(records.map(\.fleetWindow).filter { !isReset($0.window) })
  }

  /// The windows that operators' resets began.
  public func resets(otherThan edition: UInt64?) -> FleetResets? {
    guard let changes else { return nil }
    let now = changes.changesEdition
    return edition == now ? nil : FleetResets(edition: now, starts: changes.resets)
  }

  /// The store's clock said `time`, `roundTrip` at most before now.
  ///
  /// Throws where it is not believed: this node is not ready until it is again.
  public func heard(_ time: Timestamp, roundTrip: Duration) throws(ClockDoubt) {
    guard let clock else { return }
    let correction = clock.heard(time, roundTrip: roundTrip)
    if case .doubted(let doubt) = correction {
      doubtClock(doubt)
      throw doubt
    }
    let (isFirst, wasDoubted) = state.withLock { state in
      defer {
        state.hasHeardClock = true
        state.clockDoubt = nil
      }
      return (!state.hasHeardClock, state.clockDoubt != nil)
    }
    if wasDoubted { log.notice("the store's clock is believed again: \(time.iso8601)") }
    switch correction {
    case .none, .doubted: break
    case .moved(let milliseconds):
      let text = "the store's clock is \(Self.distance(milliseconds)) this node's"
      if isFirst, milliseconds.magnitude >= 1_000 {
        log.notice("\(text): windows go by the store's from now on")
      } else {
        log.debug("\(text), which follows")
      }
    case .jumped(let milliseconds):
      state.withLock { $0.clockJumps += 1 }
      log.warning(
        """
        the store's clock has jumped: it is \(Self.distance(milliseconds)) this node's, which \
        follows; see that the store's host keeps its time
        """)
    }
  }

  private func doubtClock(_ doubt: ClockDoubt) {
    let isNew = state.withLock { state in
      defer { state.clockDoubt = doubt }
      return state.clockDoubt == nil
    }
    if isNew { log.error("\(doubt). Until then nothing is sent to Redis; recording goes on") }
  }

  private static func distance(_ milliseconds: Int64) -> String {
    "\(milliseconds.magnitude) ms \(milliseconds < 0 ? "behind" : "ahead of")"
  }

  /// The fleet time now, as the engine has it.
  public func now() -> Timestamp { time.now() }

  /// The time since the start, for the standing.
  var elapsed: Duration { uptime() - started }
}

extension FleetBudgets {
  fileprivate init(_ catalog: BudgetCatalog, _ reservations: FleetReservations) {
    self.init(
      generation: catalog.edition,
      budgets: catalog.budgets.map {
        let definition = $0.definition
        var budget = FleetBudget(
          key: definition.key, limit: definition.limit, rule: definition.rule,
          origin: definition.origin)
        budget.mode = reservations.mode(of: definition.key)
        budget.isBounding = definition.policy.mode == .enforce
        return budget
      },
      patterns: catalog.patternsInForce.map {
        var pattern = FleetPattern($0)
        pattern.mode = reservations.mode
        return pattern
      })
  }
}
