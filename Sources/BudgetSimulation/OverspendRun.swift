import BudgetEngine
import BudgetModel

/// The things that happen to the fleet: requests, and the changes that operators make meanwhile.
struct OverspendTraffic {
  var requests: [OverspendRequest] = []
  var changes: [OverspendChange] = []
}

/// A request of a trace: who pays, what it cost, and when that was known.
struct OverspendRequest {
  var action: Scenario.RecordAction
  var cost: PicoUSD
  /// The step that reserved for it; nil: none did.
  var reserved: Scenario.ReserveAction?
  var at: Timestamp
  /// Its record's place in the scenario.
  var step: Int
}

/// An operator's change, with its place in the scenario.
struct OverspendChange {
  var change: ScenarioChange
  var at: Timestamp
  var step: Int
}

/// Sends a scenario's requests to a fleet, in virtual time, and looks how far budgets are passed.
///
/// Spend is counted by an engine, whose windows and sums are the fleet's. With reservations that engine
/// decides as well: one node does so, and a fleet whose nodes reserve under ceilings. Without them a
/// node decides by what it has heard: its own spend at once, others' at the last agreement. All nodes
/// hear of an operator's change at once.
struct OverspendRun {
  private var player: ScenarioPlayer
  private let engine: BudgetEngine
  private let plan: OverspendPlan
  private let traffic: OverspendTraffic
  private let start: Timestamp
  /// The budgets with the limits and modes in force, and of which edition these are.
  private var budgets: [Int32: CatalogBudget] = [:]
  private var edition = 0
  /// The spend of each budget that all nodes have heard of at the last agreement, and
  /// each one's own since.
  private var heard: [Int32: Spend] = [:]
  private var own: [[Int32: Spend]]
  private var agreedAt: Timestamp
  /// Those that were let through and are under way, with what is held for them.
  private var admitted: [Int: Reservation?] = [:]
  private var over: [Window: Excess] = [:]
  private var mode = OverspendReport.Mode()

  /// Spend in the window that began then.
  private struct Spend {
    var start: Timestamp?
    var amount: PicoUSD
  }

  private struct Window: Hashable {
    var slot: Int32
    var start: Timestamp?
  }

  /// The sum spent beyond limits, and the last limit that was passed.
  private struct Excess {
    var amount: PicoUSD
    var limit: PicoUSD
  }

  private enum Event {
    /// A request's cost is known.
    case end(Int)
    /// An operator changes something.
    case change(Int)
    /// A request is to be decided.
    case begin(Int)
  }

  init(
    _ player: ScenarioPlayer, _ plan: OverspendPlan, _ traffic: OverspendTraffic, start: Timestamp
  ) {
    self.player = player
    self.plan = plan
    self.traffic = traffic
    self.start = start
    engine = player.engine
    own = Array(repeating: [:], count: plan.nodes)
    agreedAt = start
    readBudgets()
  }

  /// Plays all requests; `reserves`: each is reserved for.
  mutating func play(reserves: Bool) -> OverspendReport.Mode {
    for (now, _, event) in events {
      player.advance(to: now)
      readChangedBudgets()
      agree(at: now)
      switch event {
      case .begin(let index): begin(index, reserves: reserves, at: now)
      case .change(let index): make(traffic.changes[index].change, at: now)
      case .end(let index):
        guard let reservation = admitted.removeValue(forKey: index) else { continue }
        let request = traffic.requests[index]
        let charged = player.charged(request.action, at: now)
        record(request, charged, reservation, at: now)
        note(request.cost, charged, on: index % plan.nodes, at: now)
      }
    }
    tellPassed()
    return mode
  }

  /// In their order. Of one instant costs and changes come first, as the trace has them: they count
  /// for those who are decided at it.
  private var events: [(at: Timestamp, rank: Int, event: Event)] {
    var events: [(at: Timestamp, rank: Int, event: Event)] = []
    for (index, request) in traffic.requests.enumerated() {
      // A cost is known after the decision, however soon.
      var begin = request.at.unixMilliseconds - max(1, plan.latencyMilliseconds)
      // The scenario begins with the changes that hold from its start on.
      if request.at > start { begin = max(begin, start.unixMilliseconds) }
      events.append(
        (Timestamp(unixMilliseconds: begin), Int.max / 2 + request.step, .begin(index)))
      events.append((request.at, request.step, .end(index)))
    }
    for (index, change) in traffic.changes.enumerated() {
      events.append((change.at, change.step, .change(index)))
    }
    return events.sorted { ($0.at, $0.rank) < ($1.at, $1.rank) }
  }

  private mutating func begin(_ index: Int, reserves: Bool, at now: Timestamp) {
    let request = traffic.requests[index]
    let charged = player.charged(request.action, at: now)
    // Names without a budget are charged to nothing, and only operators freeze them.
    if !traffic.changes.isEmpty, player.isFrozen(request.action, at: now) {
      mode.denied += 1
      return
    }
    let reservation = reserves ? reserve(request, charged, at: now) : nil
    if reserves ? reservation != nil : admits(charged, on: index % plan.nodes, at: now) {
      admitted[index] = .some(reservation)
      mode.admitted += 1
    } else {
      mode.denied += 1
    }
  }

  private mutating func make(_ change: ScenarioChange, at now: Timestamp) {
    // One that was refused changed nothing then, and does not now.
    _ = player.make(change, at: now)
    readChangedBudgets()
    guard case .reset = change.deed else { return }
    for (slot, budget) in budgets where change.names(budget.definition.key) {
      let report = engine.report(on: budget, at: now)
      heard[slot] = Spend(start: report.startedAt, amount: report.spend)
      for node in own.indices { own[node][slot] = nil }
    }
  }

  private mutating func readChangedBudgets() {
    guard edition != player.edition else { return }
    edition = player.edition
    readBudgets()
  }

  /// A budget carries its limit: after a change it is to be read anew.
  private mutating func readBudgets() {
    budgets = Dictionary(
      engine.catalog.budgets.map { ($0.slot, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// At each interval all nodes hear of everything.
  private mutating func agree(at now: Timestamp) {
    guard now.unixMilliseconds - agreedAt.unixMilliseconds >= plan.intervalMilliseconds else {
      return
    }
    agreedAt = now
    heard.removeAll(keepingCapacity: true)
    for node in own.indices { own[node].removeAll(keepingCapacity: true) }
    for (slot, budget) in budgets {
      let report = engine.report(on: budget, at: now)
      heard[slot] = Spend(start: report.startedAt, amount: report.spend)
    }
  }

  /// Whether no budget that counts denies, as far as the node knows.
  private func admits(_ charged: ChargedSlots, on node: Int, at now: Timestamp) -> Bool {
    charged.slots.allSatisfy { slot in
      guard let budget = budgets[slot] else { return true }
      let report = engine.report(on: budget, at: now)
      guard let limit = report.limit, report.mode != .shadow else { return report.mode != .freeze }
      guard plan.nodes > 1 else { return report.mode != .freeze && report.spend < limit }
      let known = [heard[slot], own[node][slot]].reduce(PicoUSD.zero) { sum, spend in
        guard let spend, spend.start == report.startedAt else { return sum }
        return sum + spend.amount
      }
      return report.mode != .freeze && known < limit
    }
  }

  private func reserve(
    _ request: OverspendRequest, _ charged: ChargedSlots, at now: Timestamp
  ) -> Reservation? {
    engine.expireReservations(atMost: .max, at: now)
    let ttls = ReservationAsk.ttlBounds
    let ttl = min(ttls.upperBound, max(ttls.lowerBound, 2 * plan.latencyMilliseconds))
    var attempt = ReservationAttempt()
    let amount =
      request.reserved.flatMap { player.amount(of: $0, settledBy: request.action) }
      ?? engine.estimates.expected(player.kind(of: request.action))
    let answer = engine.reserve(
      ReservationAsk(amount, ttl: ttl), over: charged,
      at: ReservationMoment(catalog: engine.catalog, now: now), with: &attempt)
    guard case .held(let reservation) = answer else { return nil }
    return reservation
  }

  private func record(
    _ request: OverspendRequest, _ charged: ChargedSlots, _ reservation: Reservation?,
    at now: Timestamp
  ) {
    engine.estimates.learn(request.cost, of: player.kind(of: request.action))
    guard let reservation,
      case .pending(let settlement) = engine.addPending(
        request.cost, to: charged, settling: reservation.id, at: now)
    else {
      engine.record(request.cost, to: charged, at: now)
      return
    }
    engine.commit(request.cost, of: charged, at: now)
    engine.settled(settlement.word, cost: request.cost)
  }

  /// Notes who knows of the spend, and how much of it is beyond the limits in force.
  private mutating func note(
    _ cost: PicoUSD, _ charged: ChargedSlots, on node: Int, at now: Timestamp
  ) {
    for slot in charged.slots {
      guard let budget = budgets[slot] else { continue }
      let report = engine.report(on: budget, at: now)
      var spend = own[node][slot] ?? Spend(start: report.startedAt, amount: .zero)
      if spend.start != report.startedAt {
        spend = Spend(start: report.startedAt, amount: .zero)
      }
      spend.amount += cost
      own[node][slot] = spend
      guard let limit = report.limit, report.spend > limit, report.mode != .shadow else { continue }
      let window = Window(slot: slot, start: report.startedAt)
      let before = over[window]?.amount ?? .zero
      // No more than this cost: what was spent before the limit was lowered was within it.
      over[window] = Excess(amount: before + min(cost, report.spend - limit), limit: limit)
    }
  }

  private mutating func tellPassed() {
    for (window, excess) in over {
      guard let budget = budgets[window.slot] else { continue }
      mode.overspent += excess.amount
      mode.passed.append(
        OverspendReport.Passed(
          key: budget.definition.key, limit: excess.limit, overspent: excess.amount))
    }
    mode.passed.sort { left, right in
      (right.ratio ?? .infinity, right.overspent, left.key.name)
        < (left.ratio ?? .infinity, left.overspent, right.key.name)
    }
  }
}
