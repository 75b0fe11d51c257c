import BudgetEngine
import BudgetModel

/// A request of a trace: who pays, what it cost, and when that was known.
struct OverspendRequest {
  var action: Scenario.RecordAction
  var cost: PicoUSD
  var at: Timestamp
}

/// Sends a scenario's requests to a fleet, in virtual time, and looks how far budgets are passed.
///
/// Spend is counted by an engine, whose windows and sums are the fleet's. With reservations that engine
/// decides as well: one node does so, and a fleet whose nodes reserve under ceilings. Without them a
/// node decides by what it has heard: its own spend at once, others' at the last agreement.
struct OverspendRun {
  private let player: ScenarioPlayer
  private let engine: BudgetEngine
  private let plan: OverspendPlan
  private let budgets: [Int32: CatalogBudget]
  /// The spend of each budget that all nodes have heard of at the last agreement, and
  /// each one's own since.
  private var heard: [Int32: Spend] = [:]
  private var own: [[Int32: Spend]]
  private var agreedAt: Timestamp
  private var over: [Window: PicoUSD] = [:]
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

  private enum Event {
    /// Its cost is known.
    case end(Int)
    /// It is to be decided.
    case begin(Int)

    /// Of one instant ends come first: they count for those who are decided at it.
    var rank: Int {
      switch self {
      case .end(let index): index
      case .begin(let index): Int.max / 2 + index
      }
    }
  }

  init(_ player: ScenarioPlayer, _ plan: OverspendPlan, start: Timestamp) {
    self.player = player
    self.plan = plan
    engine = player.engine
    budgets = Dictionary(
      player.engine.catalog.budgets.map { ($0.slot, $0) }, uniquingKeysWith: { first, _ in first })
    own = Array(repeating: [:], count: plan.nodes)
    agreedAt = start
  }

  /// Plays all requests; `reserves`: each is reserved for.
  mutating func play(_ requests: [OverspendRequest], reserves: Bool) -> OverspendReport.Mode {
    var events: [(at: Timestamp, event: Event)] = []
    for (index, request) in requests.enumerated() {
      // A cost is known after the decision, however soon.
      let begin = request.at.unixMilliseconds - max(1, plan.latencyMilliseconds)
      events.append((Timestamp(unixMilliseconds: begin), .begin(index)))
      events.append((request.at, .end(index)))
    }
    events.sort { ($0.at, $0.event.rank) < ($1.at, $1.event.rank) }
    var admitted: [Int: Reservation?] = [:]
    for (now, event) in events {
      agree(at: now)
      switch event {
      case .begin(let index):
        let charged = player.charged(requests[index].action, at: now)
        let reservation = reserves ? reserve(requests[index], charged, at: now) : nil
        if reserves ? reservation != nil : admits(charged, on: index % plan.nodes, at: now) {
          admitted[index] = .some(reservation)
          mode.admitted += 1
        } else {
          mode.denied += 1
        }
      case .end(let index):
        guard let reservation = admitted.removeValue(forKey: index) else { continue }
        let charged = player.charged(requests[index].action, at: now)
        record(requests[index], charged, reservation, at: now)
        note(requests[index].cost, charged, on: index % plan.nodes, at: now)
      }
    }
    tellPassed()
    return mode
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
    let amount = engine.estimates.expected(player.kind(of: request.action))
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

  /// Notes who knows of the spend, and how far it is beyond limits.
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
      if let limit = report.limit, report.spend > limit, report.mode != .shadow {
        over[Window(slot: slot, start: report.startedAt)] = report.spend - limit
      }
    }
  }

  private mutating func tellPassed() {
    for (window, overspent) in over {
      guard let budget = budgets[window.slot], let limit = budget.definition.limit else { continue }
      mode.overspent += overspent
      mode.passed.append(
        OverspendReport.Passed(key: budget.definition.key, limit: limit, overspent: overspent))
    }
    mode.passed.sort { left, right in
      (right.ratio ?? .infinity, right.overspent, left.key.name)
        < (left.ratio ?? .infinity, left.overspent, right.key.name)
    }
  }
}
