import BudgetModel
import RedisStore

@testable import Reconciliation

/// The rules that hold in a fleet with reservations, looked at with each step.
struct ClaimWatch {
  var offered = 0
  var admitted = 0
  var denied = 0
  var deferred = 0
  /// Passes that went on without the ledger's news.
  var late = 0
  /// When the store has lost something last.
  var lostAt: Int64?
  /// The cost of all requests, by budget.
  private(set) var spent: [PicoUSD]
  /// The same, with what open holds keep back.
  private var reserved: [PicoUSD]
  /// Costs above their amounts, near the limit and beyond it; costs without a hold there.
  private var excess: [PicoUSD]
  private var unreserved: [PicoUSD]
  private var isNear: [Bool]
  private(set) var raises = 0
  /// Calls that claimed something.
  private(set) var calls = 0
  /// Holds that ended since another node settled them, and those that ended by their time.
  private(set) var endedElsewhere = 0
  private(set) var expired = 0
  private var reservedIDs: Set<Int> = []
  private var recorded: Set<Int> = []
  private var longestWait: Int64 = 0

  init(budgets: Int) {
    spent = Array(repeating: .zero, count: budgets)
    reserved = spent
    excess = spent
    unreserved = spent
    isNear = Array(repeating: false, count: budgets)
  }

  /// I1 and I3: a hold is taken under a ceiling, and the store knows of all of that.
  mutating func admits(
    _ request: ClaimWorld.Request, _ budget: Int, at node: ClaimNode, _ world: ClaimWorld
  ) {
    reserved[budget] += request.amount
    reservedIDs.insert(request.id)
    guard let ceiling = node.claims[budget].ceiling else { return }
    let use = node.use(budget, at: world.redis.now)
    if use.total + request.amount > ceiling { world.fail("I3: a hold above its ceiling") }
    expectCovered(ceiling, budget, at: node, world)
  }

  private func expectCovered(
    _ ceiling: PicoUSD, _ budget: Int, at node: ClaimNode, _ world: ClaimWorld
  ) {
    guard lostAt == nil else { return }
    let mark = world.redis.hash(String(decoding: world.keys[budget].mark, as: UTF8.self)) ?? [:]
    guard let open = node.base.open[budget],
      mark["w"] == nil || mark["w"] == "\(open.start.unixMilliseconds)"
    else { return }
    let told = mark.filter { $0.key.hasPrefix("c:" + node.base.nodeID) }
      .compactMap { PicoUSD(twelveDecimals: $0.value) }.reduce(.zero, +)
    if told + claim(of: node, budget, world) < ceiling {
      world.fail("I1: the store does not cover a ceiling of \(ceiling.exactText)")
    }
  }

  private func claim(of node: ClaimNode, _ budget: Int, _ world: ClaimWorld) -> PicoUSD {
    let held = world.redis.hash(ClaimWorld.claims(world.keys[budget])) ?? [:]
    let words = held[node.base.origin]?.split(separator: " ") ?? []
    guard words.count == 3, let end = Int64(words[2]), end >= world.redis.now else { return .zero }
    return PicoUSD(twelveDecimals: String(words[1])) ?? .zero
  }

  /// I2 and I6: a raise leaves everybody within the limit. I1 again: a claim outlives what is held
  /// under it, for as long as anybody else may go by what is claimed.
  mutating func called(_ call: RedisScriptCall, _ reply: RedisValue, _ world: ClaimWorld) {
    calls += 1
    guard let fields = reply.array, fields.count >= 16,
      let budget = world.keys.firstIndex(where: { $0.spend == call.keys[0] }),
      let answer = ClaimReply(
        fields.suffix(6).compactMap { $0.bytes.map { String(decoding: $0, as: UTF8.self) } }),
      let keep = PicoUSD(twelveDecimals: String(decoding: call.arguments[10], as: UTF8.self))
    else { return }
    if answer.state != .old, answer.claim < keep { world.fail("I6: less than what is out") }
    if answer.claim > keep {
      raises += 1
      let spent = world.redis.text(String(decoding: world.keys[budget].spend, as: UTF8.self))
        .flatMap { StoreNumber.amount($0) }
      if (spent ?? .zero) + answer.others + answer.claim > world.limits[budget] {
        world.fail("I2: a raise past the limit")
      }
      if answer.state != .granted { world.fail("I6: a raise while learning") }
    }
    guard lostAt == nil, world.scenario.mode == .strict else { return }
    for node in world.nodes where node.base.isUp && !node.isOld {
      let held = node.holds.values.filter { $0.budgets.contains(budget) }
      if node.claims[budget].ceiling == nil { continue }
      guard !held.isEmpty, node.base.reconciler != nil else { continue }
      let origins = [node.base.origin] + node.endedLives
      let claims = world.redis.hash(ClaimWorld.claims(world.keys[budget])) ?? [:]
      let isThere = origins.contains { origin in
        claims[origin]?.split(separator: " ").last.flatMap { Int64($0) }.map {
          $0 >= world.redis.now
        } ?? false
      }
      if !isThere { world.fail("I1: holds have outlived their claim") }
    }
  }

  mutating func endsElsewhere() { endedElsewhere += 1 }
  mutating func expires() { expired += 1 }

  mutating func answered(_ request: ClaimWorld.Request, _ world: ClaimWorld) {
    longestWait = max(longestWait, world.redis.now - request.askedAt)
  }

  mutating func foreign(_ cost: PicoUSD, _ world: ClaimWorld) {
    spent[0] += cost
    reserved[0] += cost
    noteNearness(0, world)
    if isNear[0] { unreserved[0] += cost }
  }

  mutating func records(_ request: ClaimWorld.Request, wasHeld: Bool, _ world: ClaimWorld) {
    guard recorded.insert(request.id).inserted else {
      return world.fail("I7: one request was settled twice")
    }
    for budget in request.budgets {
      spent[budget] += request.cost
      let amount = reservedIDs.contains(request.id) ? request.amount : .zero
      reserved[budget] += request.cost - amount
      noteNearness(budget, world)
      guard isNear[budget] else { continue }
      if wasHeld {
        excess[budget] += max(.zero, request.cost - amount)
      } else {
        unreserved[budget] += request.cost
      }
    }
  }

  private mutating func noteNearness(_ budget: Int, _ world: ClaimWorld) {
    let step = PicoUSD(pico: ClaimRules.dollars(world.scenario.meanCost).pico * 10)
    if reserved[budget] > world.limits[budget] - step { isNear[budget] = true }
  }

  /// Nothing is held, nothing waits, nobody claims anything.
  func quiet(_ world: ClaimWorld) {
    for node in world.nodes {
      if !node.holds.isEmpty { world.fail("I13: holds are left") }
      if node.room.count > 0 || !node.requests.isEmpty { world.fail("I13: requests wait") }
    }
    for keys in world.keys {
      let held = world.redis.hash(ClaimWorld.claims(keys)) ?? [:]
      for node in world.nodes {
        let claim = held[node.base.origin]?.split(separator: " ").dropFirst().first ?? ""
        if !claim.isEmpty, claim.contains(where: { "123456789".contains($0) }) {
          world.fail("I13: node \(node.base.place) claims \(claim) of what it does not need")
        }
      }
    }
    if world.scenario.elsewhere > 0 {
      let isTold = !world.scenario.losesMail
      if isTold != (endedElsewhere > 10) || isTold != (expired == 0) {
        world.fail("\(endedElsewhere) holds were ended by others, \(expired) by their time")
      }
    }
    if world.scenario.stall != nil, late == 0 { world.fail("no pass met the disk at a standstill") }
    if longestWait > 1_500 { world.fail("I14: an answer after \(longestWait) ms") }
    if world.scenario.isBurst, admitted != 6 { world.fail("I15: \(admitted) of 20 were admitted") }
  }

  /// Each dollar is in the store once, and the limit was kept within the bound.
  func end(_ world: ClaimWorld) {
    for (budget, keys) in world.keys.enumerated() {
      if world.redis.hash(ClaimWorld.claims(keys)) != nil { world.fail("I13: claims are left") }
      let ledgers = world.nodes.reduce(PicoUSD.zero) { sum, node in
        sum + node.base.ledger.windows[budget].values.reduce(.zero) { $0 + $1.sum }
      }
      let foreign = world.scenario.foreign > 0 && budget == 0
      if !foreign, ledgers != spent[budget] { world.fail("I10: \(ledgers) of \(spent[budget])") }
      guard !world.scenario.isRollingOver else { continue }
      let mark = world.redis.hash(String(decoding: keys.mark, as: UTF8.self)) ?? [:]
      let sum = mark["sum"].flatMap { PicoUSD(twelveDecimals: $0) } ?? .zero
      if sum != ledgers { world.fail("I11: the marker has \(sum), the ledgers \(ledgers)") }
      expectBounded(budget, world)
    }
  }

  private func expectBounded(_ budget: Int, _ world: ClaimWorld) {
    let over = spent[budget] - world.limits[budget]
    guard world.scenario.mode == .strict, over > .zero else { return }
    var bound = excess[budget] + unreserved[budget]
    if world.scenario.isNamed {
      // Each of the others holds so much without asking.
      bound += PicoUSD(pico: world.limits[budget].pico * Int128(world.nodes.count - 1) / 20)
    }
    if over > bound {
      world.fail("section 11: \(over.exactText) over the limit, the bound is \(bound.exactText)")
    }
  }

  /// How far beyond its limit the first budget is, and how much of it is used, in parts of one.
  func result(_ world: ClaimWorld) -> (over: Double, used: Double) {
    let limit = world.limits[0].dollars
    return (
      max(0, spent[0].dollars - limit) / limit, min(limit, spent[0].dollars) / limit
    )
  }
}

extension ClaimScenario {
  var isRollingOver: Bool { windowSeconds < 1_000 }
}

extension ClaimWorld {
  func checkQuiet() { watch.quiet(self) }
  func checkEnd() { watch.end(self) }
}
