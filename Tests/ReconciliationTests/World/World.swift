import BudgetModel
import RedisStore
import SeededRandom

@testable import Reconciliation

/// Nodes, proxies, clients and their store in virtual time: everything follows from the seed.
final class World {
  /// A cost that a client asks one node to record until it is told that it is.
  struct Request {
    var budget: Int
    var amount: PicoUSD
    var node: Int
    var isAcknowledged = false
  }

  /// A message that arrives later than anybody waits for it.
  struct Delayed {
    var due: Int64
    var messages: [Message]
  }

  /// The first thing that was found wrong.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  let scenario: Scenario
  var faults: Faults
  var random: SeededRandom
  let redis: VirtualRedis
  let redisKeys = RedisKeys(namespace: nil)
  let budgets: [FleetBudget]
  let keys: [BudgetKeys]
  let marks: [String]
  let spends: [String]
  let starts: [String]
  private(set) var nodes: [SimulatedNode] = []
  var proxies: [LiteLLMProxy] = []
  var requests: [Request] = []
  var delayed: [Delayed] = []
  var snapshot: [String: VirtualRedis.Entry]?
  var settings = ReconcilerSettings()
  private(set) var readBound = 0
  var watch: Watch
  var resets = ResetWatch()
  var depth = 0
  var isHealing = false
  /// How far the store's clock is off, and until when, true time.
  private(set) var jump: Int64 = 0
  var jumpEnd: Int64 = 0
  var failure: Failure?
  /// The events, if somebody wants to read them.
  private(set) var trace: [String] = []
  private let isTraced: Bool

  init(_ scenario: Scenario, seed: UInt64, script: String, isTraced: Bool = false) throws {
    self.scenario = scenario
    self.isTraced = isTraced
    faults = scenario.faults
    random = SeededRandom(seed: seed)
    redis = try VirtualRedis(
      script: script, now: 1_795_000_000_000 + Int64(random.below(1_000_000)))
    budgets = Self.budgets(scenario, &random)
    keys = budgets.compactMap { BudgetKeys($0.key, $0.origin, in: RedisKeys(namespace: nil)) }
    marks = keys.map { String(decoding: $0.mark, as: UTF8.self) }
    spends = keys.map { String(decoding: $0.spend, as: UTF8.self) }
    starts = keys.map { String(decoding: $0.start, as: UTF8.self) }
    watch = Watch(budgets: budgets.count)
    settings.adoptionBound = random.pick([1, 500])
    settings.mergeBound = random.pick([1, 500])
    readBound = random.pick([2, 1_000])
    scenario.settings(&settings)
    settings.rememberMilliseconds = random.pick([0, 5_000])
    let count = 2 + random.below(4)
    nodes = (0..<count).map {
      SimulatedNode(place: $0, budgets: budgets, isDynamic: scenario.isDynamic)
    }
    for node in nodes { start(node) }
    proxies = (0..<scenario.proxies).map { LiteLLMProxy(place: $0, world: self) }
  }

  private static func budgets(_ scenario: Scenario, _ random: inout SeededRandom) -> [FleetBudget] {
    let scopes: [BudgetScope] = [.provider, .deployment, .tag]
    return (0..<(1 + random.below(3))).map { place in
      let seconds = random.pick(scenario.lengths)
      if scenario.isCalendar {
        return FleetBudget(
          key: BudgetKey(scope: .model, name: "name\(place)", windowText: "hour"),
          limit: random.chance(0.5) ? PicoUSD(dollars: 1_000) : nil,
          rule: .calendar(CalendarWindows(unit: .hour, zone: Self.zone(hoursOf: seconds))),
          origin: .own)
      }
      if scenario.isDynamic {
        return FleetBudget(
          key: BudgetKey(scope: .tag, name: "name\(place)", windowText: "\(seconds)s"),
          limit: random.chance(0.5) ? PicoUSD(dollars: 1_000) : nil,
          rule: .rolling(.seconds(Int64(seconds))), origin: .own)
      }
      return FleetBudget(
        key: BudgetKey(
          scope: scopes[(place + random.below(3)) % 3], name: "name\(place)",
          windowText: "\(seconds)s"),
        limit: random.chance(0.5) ? PicoUSD(dollars: 1_000) : nil,
        windowLength: .seconds(Int64(seconds)))
    }
  }

  /// A zone whose clock is put from one hour into the other and back every so many seconds: each
  /// time another hour begins.
  private static func zone(hoursOf seconds: Int) -> ZoneTable {
    let start: Int64 = 1_794_999_000
    return ZoneTable(
      name: "Test/\(seconds)", firstOffset: 0,
      transitions: (0..<20_000 / seconds * 10).map { number in
        .init(
          at: start + Int64(number * seconds), offset: number.isMultiple(of: 2) ? 36_000 : 0)
      })
  }

  // MARK: - Chance, time and notes

  func strikes(_ part: Double) -> Bool { random.chance(part) }

  /// A network's way, most of the time short.
  func latency() -> Int64 {
    !isHealing && random.chance(0.05) ? Int64(random.below(600)) : Int64(random.below(4))
  }

  /// The time that a good clock shows.
  var trueTime: Int64 { redis.now - jump }

  /// The store's clock is off by so much from now on; nobody else's is.
  func setJump(_ milliseconds: Int64) {
    let step = milliseconds - jump
    note("the store's clock jumps by \(step) ms")
    jump = milliseconds
    redis.now += step
    for node in nodes { node.skew -= step }
    if step > 0 {
      redis.expireAll()
      watch.noteLoss(.flush)
    }
  }

  func pass(milliseconds: Int64) {
    redis.now += milliseconds
  }

  func time(of node: SimulatedNode) -> Timestamp {
    Timestamp(unixMilliseconds: redis.now + node.skew)
  }

  func note(_ text: @autoclosure () -> String) {
    guard isTraced else { return }
    trace.append("\(redis.now % 100_000_000) " + String(repeating: "  ", count: depth) + text())
  }

  func fail(_ text: String) {
    guard failure == nil else { return }
    failure = Failure(description: text)
    note("FAILURE: \(text)")
  }

  // MARK: - Nodes

  func start(_ node: SimulatedNode) {
    let skew =
      scenario.nodeSkew == 0
      ? 0 : Int64(random.below(2 * scenario.nodeSkew + 1) - scenario.nodeSkew)
    node.start(skew: skew - jump, at: redis.now, settings: settings, keys: redisKeys)
    note("node \(node.place) starts as \(node.origin), skew \(skew)")
  }

  func crash(_ node: SimulatedNode) {
    guard node.isUp else { return }
    note("node \(node.place) crashes")
    node.crash()
  }

  func commit(_ node: SimulatedNode) {
    guard node.isUp else { return }
    let done = node.commit(at: time(of: node))
    for key in done {
      if !strikes(faults.acknowledgement) { requests[key].isAcknowledged = true }
    }
    for key in done { resets.noteCommit(of: key) }
    if !done.isEmpty {
      note("node \(node.place) commits \(done.map { "\($0)" }.joined(separator: ","))")
      watch.noteTotals(of: node, self)
    }
  }

  func adopt(_ adoption: WindowAdoption, _ node: SimulatedNode) {
    note(
      "node \(node.place) adopts \(adoption.record.start.unixMilliseconds % 100_000_000)"
        + "...\(adoption.record.end.unixMilliseconds % 100_000_000) for \(adoption.key) moving "
        + adoption.moving.map { "\($0.unixMilliseconds % 100_000_000)" }.joined(separator: ",")
        + " closing "
        + adoption.closing.map { "\($0.unixMilliseconds % 100_000_000)" }.joined(separator: ","))
    watch.noteAdoption(adoption, self)
    node.adopt(adoption, at: time(of: node))
    watch.noteTotals(of: node, self)
  }

  /// One pass of a node that is up and has none under way. True: it went through.
  @discardableResult
  func pass(_ node: SimulatedNode) -> Bool {
    guard node.isUp, !node.isPassing, var reconciler = node.reconciler else { return false }
    let life = node.life
    let port = NodePort(world: self, node: node, life: life)
    var store = SimulatedStore(world: self, node: node)
    node.isPassing = true
    let isUrgent = node.isNextUrgent && !isHealing && strikes(0.7)
    if node.needsLink {
      reconciler.linkWasMade()
      node.needsLink = false
    }
    depth += 1
    note("node \(node.place) begins a pass")
    var isDone = false
    do throws(PassFailure) {
      try exchangeResets(of: node, &store)
      let report = try reconciler.pass(port, &store, isUrgent: isUrgent)
      isDone = true
      if node.life == life { node.isNextUrgent = report.isNextUrgent }
      note(
        "node \(node.place) ends a pass: adopted \(report.adopted), merged \(report.merged), "
          + "added \(report.added.exactText), late \(report.late.count)")
    } catch {
      note("node \(node.place) breaks off a pass: \(error)")
      if case .store = error, node.life == life { node.needsLink = true }
      if case .unexpectedReply = error { fail("a pass found a reply strange: \(error)") }
    }
    depth -= 1
    if node.life == life {
      node.isPassing = false
      node.reconciler = reconciler
    }
    return isDone
  }

  // MARK: - The store

  func apply(_ message: Message) -> RedisValue {
    switch message {
    case .command(let words):
      let reply = redis.perform(words)
      check()
      return reply
    case .script(let call): return runScript(call)
    }
  }

  func delay(_ messages: [Message]) {
    let longest =
      (scenario.lengths.max() ?? 1) < 1_000 ? 1_500 * (scenario.lengths.max() ?? 1) : 60_000
    delayed.append(Delayed(due: redis.now + Int64(1 + random.below(longest)), messages: messages))
  }
}
