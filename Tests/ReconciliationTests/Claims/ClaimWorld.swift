import BudgetModel
import Foundation
import RedisStore
import SeededRandom

@testable import Reconciliation

/// Nodes that reserve, their clients and their store in virtual time.
final class ClaimWorld {
  /// A client's question, and what it will have cost.
  struct Request {
    var id: Int
    var budgets: [Int]
    var amount: PicoUSD
    var cost: PicoUSD
    var latency: Int64
    var askedAt: Int64
  }

  struct Failure: Error, CustomStringConvertible { var description: String }

  private struct Event {
    var time: Int64
    var number: Int
    var body: (ClaimWorld) -> Void
  }

  let scenario: ClaimScenario
  var random: SeededRandom
  let redis: VirtualRedis
  let budgets: [FleetBudget]
  let keys: [BudgetKeys]
  let limits: [PicoUSD]
  private(set) var nodes: [ClaimNode] = []
  private(set) var settings = ReconcilerSettings()
  private var events: [Event] = []
  private var eventCount = 0
  private var requestCount = 0
  let beginning: Int64
  /// When traffic ends.
  private(set) var end: Int64 = 0
  private(set) var isHealing = false
  var watch: ClaimWatch
  private(set) var failure: Failure?
  private(set) var trace: [String] = []
  private let isTraced: Bool

  static let start: Int64 = 1_795_000_000_000

  init(_ scenario: ClaimScenario, seed: UInt64, script: String, isTraced: Bool = false) throws {
    self.scenario = scenario
    self.isTraced = isTraced
    random = SeededRandom(seed: seed)
    beginning = Self.start + Int64(random.below(1_000))
    redis = try VirtualRedis(script: script, now: beginning)
    limits = scenario.limits.map(ClaimRules.dollars)
    budgets = limits.enumerated().map { place, limit in
      var budget = FleetBudget(
        key: BudgetKey(
          scope: .provider, name: "name\(place)", windowText: "\(scenario.windowSeconds)s"),
        limit: limit, windowLength: .seconds(Int64(scenario.windowSeconds)))
      if scenario.isNamed {
        budget = FleetBudget(
          key: BudgetKey(
            scope: .tag, name: budget.key.name, windowText: budget.key.windowText),
          limit: limit, rule: budget.rule, origin: .own)
      }
      budget.mode = scenario.mode
      return budget
    }
    keys = budgets.compactMap { BudgetKeys($0.key, $0.origin, in: RedisKeys(namespace: nil)) }
    watch = ClaimWatch(budgets: budgets.count)
    settings.claims.holdTime = .seconds(5)
    scenario.terms(&settings.claims)
    nodes = (0..<scenario.nodes).map {
      ClaimNode(place: $0, budgets: budgets, isOld: scenario.hasOldNode && $0 == 0)
    }
    let exhausts = scenario.limits[0] / (Double(scenario.nodes) * scenario.rate * scenario.meanCost)
    let seconds = scenario.isBurst ? 2 : (exhausts + scenario.latency) * scenario.traffic
    end = beginning + Int64(seconds * 1_000)
  }

  var loss: Double { isHealing ? 0 : scenario.loss }
  private var elapsed: Double { Double(redis.now - beginning) / 1_000 }

  func note(_ text: @autoclosure () -> String) {
    if isTraced { trace.append("\(redis.now - beginning) \(text())") }
  }

  func fail(_ text: String) {
    guard failure == nil else { return }
    failure = Failure(description: "\(text), at \(redis.now - beginning) ms")
    note("FAILURE: \(text)")
  }

  // MARK: - Time

  func after(milliseconds: Int64, _ body: @escaping (ClaimWorld) -> Void) {
    eventCount += 1
    let event = Event(time: redis.now + max(0, milliseconds), number: eventCount, body: body)
    // Latest first, so that the next one is the last.
    var low = 0
    var high = events.count
    while low < high {
      let middle = (low + high) / 2
      if (events[middle].time, events[middle].number) > (event.time, event.number) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    events.insert(event, at: low)
  }

  /// Everybody acts until then. Within a message's way too.
  func advance(by milliseconds: Int64) { run(until: redis.now + milliseconds) }

  private func run(until time: Int64) {
    while failure == nil, let next = events.last, next.time <= time {
      events.removeLast()
      redis.now = max(redis.now, next.time)
      next.body(self)
    }
    redis.now = max(redis.now, time)
  }

  // MARK: - A whole life

  func run() throws(Failure) {
    for node in nodes {
      node.start(at: redis.now, settings: settings, strict: isStrict(node))
      schedule(node, passIn: Int64(random.below(scenario.isBurst ? 20 : 1_000)))
      if !scenario.isBurst { arrive(at: node) }
    }
    if scenario.isBurst {
      // Each node agrees with the store before.
      for place in 0..<20 {
        after(milliseconds: 1_200 + Int64(random.below(2))) { world in
          world.request(at: world.nodes[place % world.nodes.count])
        }
      }
    }
    disasters()
    run(until: end + Int64(scenario.latency * 5_000) + 2_000)
    isHealing = true
    for node in nodes where !node.base.isUp { restart(node) }
    let life = settings.claims.useTime + settings.claims.lifeMargin + settings.claims.holdTime
    run(until: redis.now + 3_000 + settings.claims.holdTime.wholeMilliseconds)
    checkQuiet()
    let calls = watch.calls
    run(until: redis.now + 3_000)
    if watch.calls != calls { fail("I12: calls about claims of nothing") }
    // Nothing is left of claims a minute after the last has ended.
    redis.now += life.wholeMilliseconds + 61_000
    checkEnd()
    if let failure { throw failure }
  }

  private func isStrict(_ node: ClaimNode) -> Bool {
    scenario.mode == .strict && !node.isOld && !scenario.isNamed
  }

  private func disasters() {
    func at(_ second: Double, _ body: @escaping (ClaimWorld) -> Void) {
      after(milliseconds: Int64(second * 1_000), body)
    }
    if let flush = scenario.flush {
      at(flush) { world in
        world.note("flush")
        world.redis.flush()
        world.watch.lostAt = world.redis.now
      }
    }
    if let loss = scenario.claimLoss {
      at(loss) { world in
        for keys in world.keys { world.redis.lose(Self.claims(keys)) }
        world.watch.lostAt = world.redis.now
      }
    }
    if let crash = scenario.crash {
      at(crash) { world in
        let node = world.nodes[1]
        world.note("node 1 dies")
        for request in node.requests.values { world.watch.answered(request, world) }
        node.base.crash()
        node.requests = [:]
      }
      if let back = scenario.back { at(crash + back) { $0.restart($0.nodes[1]) } }
    }
    if scenario.foreign > 0 { spendElsewhere() }
  }

  static func claims(_ keys: BudgetKeys) -> String {
    String(decoding: RedisKeys.claimsKey(besideMark: keys.mark), as: UTF8.self)
  }

  private func restart(_ node: ClaimNode) {
    guard !node.base.isUp else { return }
    node.start(at: redis.now, settings: settings, strict: isStrict(node))
    note("node \(node.base.place) is back as \(node.base.origin)")
    schedule(node, passIn: 0)
  }

  private func spendElsewhere() {
    after(milliseconds: wait(perSecond: scenario.foreign)) { world in
      guard world.redis.now < world.end else { return }
      let cost = world.cost()
      if world.redis.text(String(decoding: world.keys[0].spend, as: UTF8.self)) != nil {
        world.apply(
          .command([
            Array("INCRBYFLOAT".utf8), world.keys[0].spend, Array(cost.exactText.utf8),
          ]))
        world.watch.foreign(cost, world)
      }
      world.spendElsewhere()
    }
  }

  func isReachable(from node: ClaimNode) -> Bool {
    if isHealing { return true }
    if let outage = scenario.outage, outage.contains(elapsed) { return false }
    if let cut = scenario.cut, node.base.place == 0, cut.contains(elapsed) { return false }
    return true
  }

  @discardableResult
  func apply(_ message: Message) -> RedisValue {
    switch message {
    case .command(let words):
      if scenario.losesMail, words.first == Array("RPUSH".utf8) { return .integer(1) }
      return redis.perform(words)
    case .script(let call):
      let reply = redis.evaluate(call)
      if call.keys.count == 3 { watch.called(call, reply, self) }
      return reply
    }
  }

  // MARK: - Chance

  private func unit() -> Double { (Double(random.below(1 << 30)) + 1) / Double((1 << 30) + 1) }

  private func wait(perSecond rate: Double) -> Int64 { Int64(-log(unit()) / rate * 1_000) }

  private func cost() -> PicoUSD {
    let normal = (-2 * log(unit())).squareRoot() * cos(2 * .pi * unit())
    let sigma = scenario.sigma
    let factor = sigma == 0 ? 1 : exp(sigma * normal - sigma * sigma / 2)
    return ClaimRules.dollars(max(0.000001, scenario.meanCost * min(5, factor)))
  }

  // MARK: - Requests

  private func arrive(at node: ClaimNode) {
    after(milliseconds: wait(perSecond: scenario.rate)) { world in
      guard world.redis.now < world.end else { return }
      let isIdle = world.scenario.idle.map { $0 < world.elapsed } ?? false
      if !isIdle || node.base.place != 0 {
        let living = world.nodes.filter(\.base.isUp)
        if let other = node.base.isUp ? node : living.first { world.request(at: other) }
      }
      world.arrive(at: node)
    }
  }

  private func request(at node: ClaimNode) {
    guard node.base.isUp else { return }
    requestCount += 1
    let mean = ClaimRules.dollars(scenario.meanCost)
    let others = budgets.count > 1 ? [1 + random.below(budgets.count - 1)] : []
    let times = (0..<4).reduce(0.0) { sum, _ in sum - log(unit()) / 4 }
    let request = Request(
      id: requestCount, budgets: [0] + others,
      amount: scenario.amountsAreGreatest ? PicoUSD(pico: mean.pico * 5) : mean, cost: cost(),
      latency: Int64(min(4, times) * scenario.latency * 1_000), askedAt: redis.now)
    watch.offered += 1
    if node.isOld { return passThrough(request, at: node) }
    switch decide(request, at: node, isFirst: true) {
    case .decided: break
    case .lacking(let lacks):
      if node.isDown {
        watch.denied += 1
        return
      }
      watch.deferred += 1
      let ticket = WaitingRoom.Ticket(request.id)
      node.requests[ticket] = request
      node.room.enter(ticket, lacking: lacks, until: .milliseconds(redis.now - beginning + 1_000))
      node.touched.formUnion(request.budgets)
      demand(node)
      after(milliseconds: 1_000) { $0.dropOverdue(node) }
    }
  }

  /// An old node's filter goes by what is spent.
  private func passThrough(_ request: Request, at node: ClaimNode) {
    let use = node.use(0, at: redis.now)
    let spent = use.committed + use.pending + (node.base.others[0]?.others ?? .zero)
    guard spent < limits[0] else { return watch.denied += 1 }
    watch.admitted += 1
    after(milliseconds: request.latency) { $0.record(request, at: node) }
  }

  /// Whether a part of a name's budget is so small that nobody is asked for it.
  func allows(_ part: PicoUSD, of budget: Int, at node: ClaimNode) -> Bool {
    let use = node.use(budget, at: redis.now)
    let spent = use.committed + use.pending + view(budget, of: node)
    return part.pico * 20 <= (limits[budget] - spent - node.claims[budget].others).pico
  }

  private func view(_ budget: Int, of node: ClaimNode) -> PicoUSD {
    guard let view = node.base.others[budget], view.start == node.base.open[budget]?.start else {
      return .zero
    }
    return view.others
  }

  private func decide(
    _ request: Request, at node: ClaimNode, isFirst: Bool
  ) -> WaitingRoom.Outcome {
    var lacks: [WaitingRoom.Lack] = []
    let time = Timestamp(unixMilliseconds: redis.now)
    for budget in request.budgets {
      let use = node.use(budget, at: redis.now)
      let spent = use.committed + use.pending + view(budget, of: node)
      let amount = request.amount
      let isStrict = scenario.mode == .strict
      var all = spent + amount
      if !isStrict { all += use.held + node.claims[budget].others }
      if spent >= limits[budget] || all > limits[budget] {
        return deny(request, at: node)
      }
      if scenario.isNamed, node.claims[budget].ceiling == nil {
        if allows(use.held + amount, of: budget, at: node) { continue }
      } else if node.claims[budget].admits(amount, beyond: use, at: time) {
        continue
      }
      let lack = WaitingRoom.Lack(budgets[budget].key, amount)
      if isFirst, node.room.isRefused(lack, at: .milliseconds(redis.now - beginning)) {
        return deny(request, at: node)
      }
      lacks.append(lack)
    }
    guard lacks.isEmpty else { return .lacking(lacks) }
    admit(request, at: node)
    return .decided
  }

  private func deny(_ request: Request, at node: ClaimNode) -> WaitingRoom.Outcome {
    watch.denied += 1
    watch.answered(request, self)
    return .decided
  }

  private func admit(_ request: Request, at node: ClaimNode) {
    for budget in request.budgets { watch.admits(request, budget, at: node, self) }
    watch.admitted += 1
    watch.answered(request, self)
    node.touched.formUnion(request.budgets)
    node.holds[request.id] = ClaimNode.Hold(
      budgets: request.budgets, amount: request.amount,
      end: redis.now + settings.claims.holdTime.wholeMilliseconds)
    let life = node.base.life
    after(milliseconds: request.latency) { world in
      let others = world.nodes.filter { $0.base.isUp && $0.base.place != node.base.place }
      if world.scenario.elsewhere > 0, world.random.below(10) < world.scenario.elsewhere,
        let other = others.first
      {
        world.record(request, at: other, of: node)
      } else if node.base.isUp, node.base.life == life || node.holds[request.id] != nil {
        world.record(request, at: node)
      } else if let other = world.nodes.first(where: \.base.isUp) {
        world.record(request, at: other)
      }
    }
    after(milliseconds: settings.claims.holdTime.wholeMilliseconds) { world in
      guard node.holds.removeValue(forKey: request.id) != nil else { return }
      world.watch.expires()
      world.freed(request.budgets, at: node)
    }
  }

  /// The cost becomes pending and the hold goes, at one instant; the disk has it a little later.
  private func record(_ request: Request, at node: ClaimNode, of maker: ClaimNode? = nil) {
    let hold = node.holds.removeValue(forKey: request.id)
    if let maker {
      let ended = EndedReservation("\(request.id)", wasSettled: true)
      node.ended.fresh[maker.base.nodeID, default: []].append(ended)
    } else if hold == nil, node.base.isUp {
      for other in nodes {
        other.holds[request.id] = other.base.isUp ? other.holds[request.id] : nil
      }
    }
    watch.records(request, wasHeld: hold != nil, self)
    for budget in request.budgets {
      node.base.queue.append((request.id * 10 + budget, budget, request.cost))
    }
    freed(request.budgets, at: node)
    let life = node.base.life
    after(milliseconds: 1 + Int64(random.below(4))) { world in
      guard node.base.life == life else { return world.repeatRecord(request) }
      world.commit(node)
    }
  }

  /// Whether the node's disk stands still.
  func isStalled(_ node: ClaimNode) -> Bool {
    guard !isHealing, node.base.place == 0, let stall = scenario.stall else { return false }
    return stall.contains(elapsed)
  }

  private func commit(_ node: ClaimNode) {
    if isStalled(node) {
      // All that waits is committed with the first of them.
      let life = node.base.life
      return after(milliseconds: 50) { if node.base.life == life { $0.commit(node) } }
    }
    let before = node.base.open.map { $0?.start }
    _ = node.base.commit(at: Timestamp(unixMilliseconds: redis.now))
    for (budget, start) in before.enumerated() where node.base.open[budget]?.start != start {
      node.rollOver(budget)
    }
  }

  /// The client was not answered: it tells another node.
  private func repeatRecord(_ request: Request) {
    guard let node = nodes.first(where: \.base.isUp) else { return }
    for budget in request.budgets {
      let key = request.id * 10 + budget
      guard !nodes.contains(where: { $0.base.ledger.entries[key] != nil }) else { continue }
      node.base.queue.append((key, budget, request.cost))
    }
    commit(node)
  }

  /// Another node has settled a reservation of this one.
  func endHold(_ ended: EndedReservation, at node: ClaimNode) {
    guard let id = Int(ended.id), let hold = node.holds.removeValue(forKey: id) else { return }
    watch.endsElsewhere()
    freed(hold.budgets, at: node)
  }

  private func freed(_ budgets: [Int], at node: ClaimNode) {
    for budget in budgets {
      node.claims[budget].freed(leaving: node.use(budget, at: redis.now))
    }
  }

  func answerWaiting(_ node: ClaimNode, _ key: BudgetKey, free: PicoUSD?) {
    let now = Duration.milliseconds(redis.now - beginning)
    // Holds are taken meanwhile, never waiters: the room is not asked from within.
    var room = node.room
    let refused = room.answered(key, free: free, at: now) { ticket in
      guard let request = node.requests[ticket] else { return .decided }
      let outcome = decide(request, at: node, isFirst: false)
      if case .decided = outcome { node.requests[ticket] = nil }
      return outcome
    }
    node.room = room
    for ticket in refused {
      guard let request = node.requests.removeValue(forKey: ticket) else { continue }
      watch.denied += 1
      watch.answered(request, self)
    }
  }

  private func dropOverdue(_ node: ClaimNode) {
    for ticket in node.room.takeOverdue(at: .milliseconds(redis.now - beginning)) {
      guard let request = node.requests.removeValue(forKey: ticket) else { continue }
      if isStalled(node), scenario.loss == 0 { fail("a reservation waits for the disk") }
      watch.denied += 1
      watch.answered(request, self)
    }
  }

  // MARK: - The loop of a node

  private func demand(_ node: ClaimNode) {
    let wait = node.pace.wait(at: .milliseconds(redis.now - beginning)).wholeMilliseconds
    node.demandAt = min(node.demandAt ?? .max, redis.now + wait)
    schedule(node)
  }

  private func schedule(_ node: ClaimNode, passIn milliseconds: Int64? = nil) {
    if let milliseconds { node.passAt = redis.now + milliseconds }
    guard !node.base.isPassing else { return }
    node.alarm += 1
    let alarm = node.alarm
    let life = node.base.life
    let time = min(node.passAt, node.demandAt ?? .max)
    after(milliseconds: time - redis.now) { world in
      guard node.alarm == alarm, node.base.life == life else { return }
      world.work(node)
    }
  }

  private func work(_ node: ClaimNode) {
    guard node.base.isUp, !node.base.isPassing, var reconciler = node.base.reconciler else {
      return
    }
    let life = node.base.life
    let port = ClaimPort(world: self, node: node, life: life)
    var store = ClaimStore(world: self, node: node)
    let isDemand = node.demandAt.map { $0 <= redis.now } == true && node.passAt > redis.now
    node.base.isPassing = true
    node.demandAt = nil
    if node.needsLink { reconciler.linkWasMade() }
    var report: PassReport?
    var isPutOff = false
    do throws(PassFailure) {
      report =
        isDemand
        ? try reconciler.callOnDemand(port, &store)
        : try reconciler.pass(port, &store, isUrgent: node.isUrgent)
    } catch {
      if case .unexpectedReply = error { fail("a reply was found strange: \(error)") }
      isPutOff = error == .ledgerIsLate
      note("node \(node.base.place): \(error)")
    }
    guard node.base.life == life else { return }
    node.base.isPassing = false
    node.base.reconciler = reconciler
    if isPutOff {
      node.passAt = redis.now + 100
      if node.room.count > 0 { demand(node) } else { schedule(node) }
      return
    }
    node.pace.called(
      at: .milliseconds(redis.now - beginning), learning: (report?.learning ?? 0) > 0)
    if let report {
      (node.failures, node.needsLink) = (0, false)
      if !isDemand {
        node.isUrgent = report.isNextUrgent
        node.passAt = redis.now + report.nextPass.wholeMilliseconds
      }
    } else {
      (node.failures, node.needsLink, node.isUrgent) = (node.failures + 1, true, false)
      node.passAt = redis.now + (node.failures == 1 ? 2 : 50 + Int64(random.below(200)))
      if node.isDown { dropAll(node) }
    }
    if node.room.count > 0 { demand(node) } else { schedule(node) }
  }

  private func dropAll(_ node: ClaimNode) {
    for ticket in node.room.takeAll() {
      guard let request = node.requests.removeValue(forKey: ticket) else { continue }
      watch.denied += 1
      watch.answered(request, self)
    }
  }
}
