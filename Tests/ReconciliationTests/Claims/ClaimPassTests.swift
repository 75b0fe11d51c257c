import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// How passes and calls on demand carry claims.
@Suite struct ClaimPassTests {
  /// A store that answers as the script does, and refuses what it is told to.
  private struct Store: FleetStore {
    let redis: VirtualRedis
    var refusal: RedisRefusal?
    var calls: [RedisScriptCall] = []
    var lastRoundTrip: Duration { .zero }

    init() throws { redis = try VirtualRedis(script: SpendScript.text, now: ClaimWorld.start) }

    mutating func perform(_ commands: [[[UInt8]]]) -> [RedisValue] {
      commands.map { redis.perform($0) }
    }

    mutating func evaluate(_ calls: [RedisScriptCall]) -> [RedisValue] {
      self.calls += calls
      return calls.map { call in
        if let refusal, call.keys.count == 3 { return .error(refusal) }
        return redis.evaluate(call)
      }
    }
  }

  private final class Node: FleetNode {
    let base: SimulatedNode
    let redis: VirtualRedis
    var claims = NodeClaims()
    var held = PicoUSD.zero
    var waiting: [PicoUSD] = []
    var answers: [Bool] = []
    var endedLives: [String] = []
    var isLate = false
    var adoptions = 0

    init(_ redis: VirtualRedis, mode: ClaimMode = .strict, scope: BudgetScope = .provider) {
      var budget = FleetBudget(
        key: BudgetKey(scope: scope, name: "openai", windowText: "1d"),
        limit: PicoUSD(dollars: 10), windowLength: .seconds(86_400))
      budget.mode = mode
      self.redis = redis
      base = SimulatedNode(place: 0, budgets: [budget])
      base.start(
        skew: 0, at: redis.now, settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
      claims.ceiling = .zero
    }

    /// Records and commits.
    func spend(_ amount: PicoUSD) {
      base.queue.append((1, 0, amount))
      _ = base.commit(at: now())
    }

    var nodeID: String { base.nodeID }
    var origin: String { base.origin }
    func resets(otherThan edition: UInt64?) -> FleetResets? { nil }
    func budgets(otherThan generation: UInt64?) -> FleetBudgets? {
      generation == 1 ? nil : FleetBudgets(generation: 1, budgets: base.budgets)
    }
    func news() -> LedgerNews { base.news(at: now()) }
    func newsSoFar() -> LedgerNews? { isLate ? nil : news() }
    func adopt(_ adoptions: [WindowAdoption]) {
      self.adoptions += adoptions.count
      for adoption in adoptions { base.adopt(adoption, at: now()) }
    }
    func show(_ views: [FleetView], of generation: UInt64) {}
    func showDynamic(_ views: [DynamicView]) {}
    func remember(_ records: [FleetRecord]) {}
    func heard(_ time: Timestamp, roundTrip: Duration) {}
    func now() -> Timestamp { Timestamp(unixMilliseconds: redis.now) }
    func budgetsInUse() -> [BudgetKey] {
      held > .zero || !waiting.isEmpty ? [base.budgets[0].key] : []
    }
    func changeClaims(
      of key: BudgetKey, inWindowFrom start: Timestamp,
      _ change: (NodeUse, inout NodeClaims) -> Void
    ) {
      guard base.open[0]?.start == start else { return }
      var use = NodeUse(committed: base.ledger.windows[0][start]?.sum ?? .zero)
      (use.held, use.open) = (held, held > .zero ? 1 : 0)
      change(use, &claims)
    }
    func takeWaiting(for key: BudgetKey) -> [PicoUSD] { waiting }
    func answerWaiting(for key: BudgetKey, free: PicoUSD?) { answers.append(free != nil) }
  }

  private let dollar = PicoUSD(dollars: 1)

  private func reconciler() -> Reconciler {
    Reconciler(settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
  }

  @Test func aNodeWithoutReservationsClaimsNothing() throws {
    var store = try Store()
    let node = Node(store.redis)
    var reconciler = reconciler()
    node.spend(dollar)
    for _ in 0..<3 {
      _ = try reconciler.pass(node, &store)
      store.redis.now += 1_000
    }
    #expect(!store.calls.isEmpty && store.calls.allSatisfy { $0.keys.count == 2 })
    #expect(store.redis.hash("{provider_spend:openai:1d}:bdh") == nil)
  }

  @Test func whatWaitsIsAskedForOnDemand() throws {
    var store = try Store()
    let node = Node(store.redis)
    var reconciler = reconciler()
    _ = try reconciler.pass(node, &store)
    node.waiting = [dollar, PicoUSD(dollars: 20)]
    node.endedLives = ["00000000.00000099"]
    store.calls = []
    let report = try reconciler.callOnDemand(node, &store)
    #expect(store.calls.count == 1 && report.claimed == 1 && report.learning == 0)
    #expect(node.claims.ceiling == dollar && node.answers == [true])
    // Ended lives are told once.
    let gone = store.calls.map { String(decoding: $0.arguments[17], as: UTF8.self) }
    #expect(gone == ["00000000.00000099"])
    (node.waiting, node.held) = ([], dollar)
    _ = try reconciler.callOnDemand(node, &store)
    #expect(store.calls.count == 1, "nothing waits")
    store.redis.now += 6_000
    _ = try reconciler.pass(node, &store)
    #expect(store.calls.last?.arguments[17] == [] && store.calls.last?.arguments[8] == [0x32])
    #expect(node.claims.usableUntil.unixMilliseconds >= store.redis.now + 8_900)
  }

  /// The disk stands still: a pass is put off, and reservations are asked for all the same.
  @Test func aLateLedgerKeepsNobodyWaiting() throws {
    var store = try Store()
    let node = Node(store.redis, scope: .tag)
    node.base.open = [nil]
    var reconciler = reconciler()
    _ = try reconciler.pass(node, &store)
    node.isLate = true
    node.waiting = [dollar]
    let closed = try reconciler.callOnDemand(node, &store)
    #expect(!closed.isOfPass && closed.unopened == 1 && node.adoptions == 0, "a window needs it")
    node.isLate = false
    _ = try reconciler.callOnDemand(node, &store)
    #expect(node.adoptions == 1 && node.claims.ceiling == dollar)
    (node.isLate, node.held, node.waiting) = (true, dollar, [dollar])
    node.spend(dollar)
    let writes = store.redis.writes
    #expect(throws: PassFailure.ledgerIsLate) { try reconciler.pass(node, &store) }
    #expect(store.redis.writes == writes, "nothing was done")
    _ = try reconciler.callOnDemand(node, &store)
    let claim = store.redis.hash("{tag_spend:openai:1d}:bdh")?[node.origin]?.split(separator: " ")
    let claimed = claim.flatMap { PicoUSD(twelveDecimals: String($0[1])) }
    #expect(claimed == node.claims.ceiling, "nothing is told, so all of the ceiling is claimed")
    #expect((claimed ?? .zero) >= PicoUSD(dollars: 3))
    #expect(store.redis.text("tag_spend:openai:1d") == nil)
    node.isLate = false
    _ = try reconciler.pass(node, &store)
    #expect(store.redis.text("tag_spend:openai:1d") == "1")
  }

  /// A key that is another's until the start key was read twice: calls on demand do not read it.
  @Test func callsOnDemandForceNothing() throws {
    var store = try Store()
    let node = Node(store.redis)
    var reconciler = reconciler()
    _ = try reconciler.pass(node, &store)
    node.spend(dollar)
    _ = try reconciler.pass(node, &store)
    #expect(store.redis.text("provider_spend:openai:1d") == "1")
    // Another host has begun a window: its key lasts for longer than this one.
    store.redis.now += 50_000_000
    let words = ["SET", "provider_spend:openai:1d", "0.25", "EX", "86400"]
    _ = store.redis.perform(words.map { Array($0.utf8) })
    node.waiting = [dollar]
    for _ in 0..<5 {
      store.redis.now += 5
      _ = try reconciler.callOnDemand(node, &store)
    }
    #expect(store.redis.text("provider_spend:openai:1d") == "0.25")
  }

  /// The process ends: it tells what there is, however long that takes.
  @Test func theLastPassWaitsForTheLedger() throws {
    var store = try Store()
    let node = Node(store.redis)
    var reconciler = reconciler()
    _ = try reconciler.pass(node, &store)
    node.spend(dollar)
    node.isLate = true
    #expect(throws: PassFailure.ledgerIsLate) { try reconciler.pass(node, &store) }
    #expect(store.calls.isEmpty)
    _ = try reconciler.pass(node, &store, isLast: true)
    #expect(store.redis.text("provider_spend:openai:1d") == "1")
  }

  /// A tag without spend: nobody has opened its window.
  @Test func aReservationOpensTheWindowThatItNeeds() throws {
    var store = try Store()
    let node = Node(store.redis, scope: .tag)
    node.base.open = [nil]
    var reconciler = reconciler()
    _ = try reconciler.pass(node, &store)
    #expect(node.base.open[0] == nil && store.calls.isEmpty)
    node.waiting = [dollar]
    let opened = try reconciler.callOnDemand(node, &store)
    #expect(opened.isOfPass && opened.adopted == 1 && opened.unopened == 0 && opened.claimed == 1)
    #expect(node.claims.ceiling == dollar && node.answers == [true])
    #expect(store.redis.text("tag_budget_start_time:openai") != nil)
    // Then there is one.
    node.waiting = [dollar]
    #expect(try !reconciler.callOnDemand(node, &store).isOfPass)
    // With nothing held and nothing wanted none is opened.
    node.waiting = []
    store.redis.now += 86_401_000
    _ = try reconciler.pass(node, &store)
    #expect(store.redis.text("tag_budget_start_time:openai") == nil)
  }

  @Test func spendGoesOnWhereClaimsMayNotBeKept() throws {
    for refusal in [
      RedisRefusal(kind: .noPermission, text: "NOPERM no"),
      RedisRefusal(kind: .other, text: "ERR The user executing the script can't run this"),
      RedisRefusal(kind: .wrongType, text: "WRONGTYPE no"),
    ] {
      let isForAll = refusal.kind != .wrongType
      var store = try Store()
      let node = Node(store.redis)
      var reconciler = reconciler()
      _ = try reconciler.pass(node, &store)
      store.refusal = refusal
      node.held = dollar
      node.spend(dollar)
      let first = try reconciler.pass(node, &store)
      #expect(first.claimed == 0 && first.merged == 0)
      #expect((first.claimsRefusal != nil) == isForAll)
      #expect(first.faultCount == (isForAll ? 0 : 1))
      store.redis.now += 1_000
      let second = try reconciler.pass(node, &store)
      #expect(second.merged == 1 && store.redis.text("provider_spend:openai:1d") == "1")
      // Tried again: over a new link, or after a minute.
      store.refusal = nil
      reconciler.linkWasMade()
      store.redis.now += 60_000
      #expect(try reconciler.pass(node, &store).claimed == 1)
    }
  }
}
