import BudgetModel
import Reconciliation
import RedisStore
import SeededRandom

@testable import Reconciliation

/// A node that reserves: ledger and windows are those of other simulations, beside them holds, a
/// waiting room and the loop that calls.
final class ClaimNode {
  /// One reservation's part.
  struct Hold {
    var budgets: [Int]
    var amount: PicoUSD
    var end: Int64
  }

  let base: SimulatedNode
  let isOld: Bool
  var holds: [Int: Hold] = [:]
  var claims: [NodeClaims] = []
  var room = WaitingRoom()
  var pace = DemandPace()
  var requests: [WaitingRoom.Ticket: ClaimWorld.Request] = [:]
  var failures = 0
  var isDown: Bool { failures > 1 }
  var endedLives: [String] = []
  /// The number of the next event that the loop waits for; others are old.
  var alarm = 0
  var passAt: Int64 = 0
  var isUrgent = false
  var demandAt: Int64?
  var needsLink = false
  var touched: Set<Int> = []
  /// Others' reservations that have ended here: those of the pass before, and those since.
  var ended: (ready: [String: [EndedReservation]], fresh: [String: [EndedReservation]]) = ([:], [:])

  init(place: Int, budgets: [FleetBudget], isOld: Bool) {
    base = SimulatedNode(place: place, budgets: budgets)
    self.isOld = isOld
  }

  /// A life begins; holds of the one before are in the ledger.
  func start(at now: Int64, settings: ReconcilerSettings, strict: Bool) {
    if !base.origin.isEmpty { endedLives.append(base.origin) }
    base.start(skew: 0, at: now, settings: settings, keys: RedisKeys(namespace: nil))
    var none = NodeClaims()
    none.ceiling = strict ? .zero : nil
    claims = base.budgets.map { _ in none }
    room = WaitingRoom(settings.claims)
    pace = DemandPace(settings.claims)
    requests = [:]
    failures = 0
    demandAt = nil
    ended = ([:], [:])
    touched = Set(holds.values.flatMap(\.budgets))
  }

  func use(_ budget: Int, at now: Int64) -> NodeUse {
    let start = base.open[budget]?.start
    var use = NodeUse(committed: start.flatMap { base.ledger.windows[budget][$0]?.sum } ?? .zero)
    for entry in base.queue where entry.budget == budget { use.pending += entry.amount }
    for hold in holds.values where hold.budgets.contains(budget) {
      use.held += hold.amount
      use.open += 1
      use.longestRest = max(use.longestRest, .milliseconds(hold.end - now))
    }
    return use
  }

  /// A window of its own has ended: ceilings are void with it.
  func rollOver(_ budget: Int) {
    if claims[budget].ceiling != nil { claims[budget].ceiling = .zero }
  }
}

/// One life of a node, as its reconciler sees it.
struct ClaimPort: FleetNode {
  let world: ClaimWorld
  let node: ClaimNode
  let life: Int

  private var isAlive: Bool { node.base.life == life }
  private static let dead = FleetNodeError("the node is gone")

  var nodeID: String { node.base.nodeID }
  var origin: String { node.base.origin }
  var endedLives: [String] { node.endedLives }

  func resets(otherThan edition: UInt64?) -> FleetResets? { nil }

  func budgets(otherThan generation: UInt64?) -> FleetBudgets? {
    generation == node.base.generation
      ? nil
      : FleetBudgets(
        generation: node.base.generation,
        budgets: world.scenario.isNamed ? [] : node.base.budgets,
        patterns: world.scenario.isNamed ? node.base.budgets.map(Self.pattern) : [])
  }

  /// A pattern that gives one name its budget.
  private static func pattern(_ budget: FleetBudget) -> FleetPattern {
    var pattern = FleetPattern(
      BudgetPattern(
        key: BudgetKey(
          scope: budget.key.scope, name: budget.key.name + "*", windowText: budget.key.windowText),
        rule: budget.rule, policy: BudgetPolicy(limit: budget.limit)))
    pattern.mode = budget.mode
    return pattern
  }

  func news() throws(FleetNodeError) -> LedgerNews {
    guard isAlive else { throw Self.dead }
    let news = node.base.news(at: now())
    defer { node.base.lateNews = nil }
    return node.base.lateNews?.followed(by: news) ?? news
  }

  /// The ledger's answer is waited for until somebody waits for the pass.
  func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    guard isAlive else { throw Self.dead }
    if node.base.lateNews == nil {
      guard world.isStalled(node) else { return try news() }
      node.base.lateNews = node.base.news(at: now())
      world.watch.late += 1
      world.advance(by: 100)
    }
    while isAlive, world.isStalled(node), node.room.count == 0 { world.advance(by: 5) }
    guard isAlive else { throw Self.dead }
    if world.isStalled(node) { return nil }
    defer { node.base.lateNews = nil }
    return node.base.lateNews
  }

  func adopt(_ adoptions: [WindowAdoption]) throws(FleetNodeError) {
    guard isAlive else { throw Self.dead }
    for adoption in adoptions {
      let budget = node.base.budgets.firstIndex { $0.key == adoption.key } ?? 0
      let before = node.base.open[budget]?.start
      node.base.adopt(adoption, at: now())
      if let before, node.base.open[budget]?.start != before,
        !adoption.moving.contains(before)
      {
        node.rollOver(budget)
      }
    }
  }

  func show(_ views: [FleetView], of generation: UInt64) {
    guard isAlive else { return }
    for view in views { node.base.others[view.budget] = view }
  }

  func showDynamic(_ views: [DynamicView]) {
    guard isAlive else { return }
    for view in views {
      guard let budget = budget(view.key), node.base.open[budget]?.start == view.start else {
        continue
      }
      node.base.others[budget] = FleetView(
        budget: budget, start: view.start, others: view.others)
    }
  }

  func remember(_ records: [FleetRecord]) throws(FleetNodeError) {
    for record in records {
      guard let budget = node.base.budgets.firstIndex(where: { $0.key == record.key }) else {
        continue
      }
      node.base.ledger.records[budget][record.start] = record
    }
  }

  func heard(_ time: Timestamp, roundTrip: Duration) throws(ClockDoubt) {}

  func now() -> Timestamp { Timestamp(unixMilliseconds: world.redis.now) }

  private func budget(_ key: BudgetKey) -> Int? {
    guard isAlive else { return nil }
    return node.base.budgets.firstIndex { $0.key == key }
  }

  func budgetsInUse() -> [BudgetKey] {
    guard isAlive, !node.isOld else { return [] }
    let used = node.touched.filter { budget in
      guard world.scenario.isNamed, node.claims[budget].ceiling == nil else { return true }
      return !world.allows(node.use(budget, at: world.redis.now).held, of: budget, at: node)
        || node.room.budgets.contains(node.base.budgets[budget].key)
    }
    return used.sorted().map { node.base.budgets[$0].key }
  }

  func dropClaims(of key: BudgetKey) {
    guard let budget = budget(key) else { return }
    node.claims[budget].ceiling = nil
  }

  func changeClaims(
    of key: BudgetKey, inWindowFrom start: Timestamp,
    _ change: (NodeUse, inout NodeClaims) -> Void
  ) {
    guard let budget = budget(key), node.base.open[budget]?.start == start else { return }
    var use = node.use(budget, at: world.redis.now)
    use.limit = world.limits[budget]
    change(use, &node.claims[budget])
  }

  func budgetsWaitedFor() -> [BudgetKey] { isAlive ? node.room.budgets : [] }

  var hasReservations: Bool { isAlive && !node.isOld && !node.holds.isEmpty }

  func takeEnded() -> [String: [EndedReservation]] {
    guard isAlive else { return [:] }
    defer { node.ended = (node.ended.fresh, [:]) }
    return node.ended.ready
  }

  func end(_ ended: [EndedReservation]) {
    guard isAlive else { return }
    for one in ended { world.endHold(one, at: node) }
  }

  func takeWaiting(for key: BudgetKey) -> [PicoUSD] {
    budget(key) == nil ? [] : node.room.takeWaiting(for: key)
  }

  func keptForWaiting(of key: BudgetKey) -> PicoUSD { node.room.kept(of: key) }

  func answerWaiting(for key: BudgetKey, free: PicoUSD?) {
    guard budget(key) != nil else { return }
    world.answerWaiting(node, key, free: free)
  }
}

/// A node's link to the store; others act while a message is under way.
struct ClaimStore: FleetStore {
  let world: ClaimWorld
  let node: ClaimNode
  let life: Int
  private(set) var lastRoundTrip = Duration.milliseconds(1)

  init(world: ClaimWorld, node: ClaimNode) {
    (self.world, self.node) = (world, node)
    life = node.base.life
  }

  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    try exchange(commands.map { .command($0) })
  }

  mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
    try exchange(calls.map { .script($0) })
  }

  private func exchange(_ messages: [Message]) throws(RedisError) -> [RedisValue] {
    world.advance(by: Int64(world.random.below(2)))
    let isLost = world.random.chance(world.loss)
    guard world.isReachable(from: node), !isLost else {
      // Perhaps it is only late, and comes after newer ones.
      if isLost, world.random.chance(0.5) {
        world.after(milliseconds: 200 + Int64(world.random.below(3_000))) { world in
          for message in messages { world.apply(message) }
        }
      }
      world.advance(by: 200)
      throw .closed
    }
    guard node.base.life == life else { throw .closed }
    let replies = messages.map { world.apply($0) }
    guard !world.random.chance(world.loss) else {
      world.advance(by: 200)
      throw .closed
    }
    world.advance(by: Int64(world.random.below(2)))
    guard node.base.life == life else { throw .closed }
    return replies
  }
}
