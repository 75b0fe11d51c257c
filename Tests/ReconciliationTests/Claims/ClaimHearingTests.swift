import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// Nodes hear of each other beside the answers to their own calls: claims on budgets in which they
/// claim nothing, and reservations of theirs that ended elsewhere.
@Suite struct ClaimHearingTests {
  private struct Store: FleetStore {
    let redis: VirtualRedis
    var refusing: [String: RedisRefusal] = [:]
    var calls = 0
    var commands: [String] = []
    var lastRoundTrip: Duration { .zero }

    init() throws { redis = try VirtualRedis(script: SpendScript.text, now: ClaimWorld.start) }

    mutating func perform(_ commands: [[[UInt8]]]) -> [RedisValue] {
      commands.map { command in
        let name = String(decoding: command[0], as: UTF8.self)
        let isOfClaims = command.count > 1 && command[1].suffix(4) == Array(":bdh".utf8)
        self.commands.append(name + (isOfClaims ? " H" : ""))
        return refusing[name].map { .error($0) } ?? redis.perform(command)
      }
    }

    mutating func evaluate(_ calls: [RedisScriptCall]) -> [RedisValue] {
      self.calls += calls.filter { $0.keys.count == 3 }.count
      return calls.map { redis.evaluate($0) }
    }
  }

  private final class Node: FleetNode {
    let base: SimulatedNode
    let redis: VirtualRedis
    let pattern: FleetPattern?
    var reconciler = Reconciler(settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
    var claims = NodeClaims()
    var held = PicoUSD.zero
    var waiting: [PicoUSD] = []
    var waitingSeconds: Int64 = 0
    var outgoing: [String: [EndedReservation]] = [:]
    var ended: [EndedReservation] = []
    var dropped: [BudgetKey] = []

    init(_ redis: VirtualRedis, place: Int, _ mode: ClaimMode, isNamed: Bool = false) {
      let key = BudgetKey(scope: isNamed ? .tag : .provider, name: "user:1", windowText: "1d")
      var budget = FleetBudget(
        key: key, limit: PicoUSD(dollars: 10), rule: .rolling(.seconds(86_400)),
        origin: isNamed ? .own : .liteLLM)
      budget.mode = mode
      var pattern = FleetPattern(
        BudgetPattern(
          key: BudgetKey(scope: .tag, name: "user:*", windowText: "1d"), rule: budget.rule,
          policy: BudgetPolicy(limit: budget.limit)))
      pattern.mode = mode
      self.pattern = isNamed ? pattern : nil
      self.redis = redis
      base = SimulatedNode(place: place, budgets: [budget])
      base.start(
        skew: 0, at: redis.now, settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
      claims.ceiling = mode == .strict && !isNamed ? .zero : nil
    }

    func pass(_ store: inout Store) throws -> PassReport {
      redis.now += 1_000
      (store.commands, store.calls) = ([], 0)
      return try reconciler.pass(self, &store)
    }

    var key: BudgetKey { base.budgets[0].key }
    var nodeID: String { base.nodeID }
    var origin: String { base.origin }
    func resets(otherThan edition: UInt64?) -> FleetResets? { nil }
    func budgets(otherThan generation: UInt64?) -> FleetBudgets? {
      if generation == 1 { return nil }
      return FleetBudgets(
        generation: 1, budgets: pattern == nil ? base.budgets : [],
        patterns: pattern.map { [$0] } ?? [])
    }
    func news() -> LedgerNews { base.news(at: now()) }
    func adopt(_ adoptions: [WindowAdoption]) {
      for adoption in adoptions { base.adopt(adoption, at: now()) }
    }
    func show(_ views: [FleetView], of generation: UInt64) {}
    func showDynamic(_ views: [DynamicView]) {}
    func remember(_ records: [FleetRecord]) {}
    func heard(_ time: Timestamp, roundTrip: Duration) {}
    func now() -> Timestamp { Timestamp(unixMilliseconds: redis.now) }
    func budgetsInUse() -> [BudgetKey] { held > .zero || !waiting.isEmpty ? [key] : [] }
    func budgetsWaitedFor() -> [BudgetKey] { waiting.isEmpty ? [] : [key] }
    func changeClaims(
      of key: BudgetKey, inWindowFrom start: Timestamp,
      _ change: (NodeUse, inout NodeClaims) -> Void
    ) {
      guard base.open[0]?.start == start else { return }
      var use = NodeUse(committed: base.ledger.windows[0][start]?.sum ?? .zero)
      (use.held, use.open, use.limit) = (held, held > .zero ? 1 : 0, PicoUSD(dollars: 10))
      change(use, &claims)
    }
    func takeWaiting(for key: BudgetKey) -> [PicoUSD] { waiting }
    func waitingTime(for key: BudgetKey) -> Duration { .seconds(waitingSeconds) }
    func answerWaiting(for key: BudgetKey, free: PicoUSD?) {
      if free != nil { (held, waiting) = (held + waiting.reduce(.zero, +), []) }
    }
    func dropClaims(of key: BudgetKey) {
      claims.ceiling = nil
      dropped.append(key)
    }
    var hasReservations: Bool { held > .zero }
    var reservationNode: String { "gateway-\(base.place)" }
    func takeEnded() -> [String: [EndedReservation]] { exchange(&outgoing, with: [:]) }
    func end(_ ended: [EndedReservation]) { self.ended += ended }
  }

  private let dollar = PicoUSD(dollars: 1)

  @Test(arguments: ClaimMode.allCases)
  func aNodeThatReservesNothingHearsWhatOthersHold(_ mode: ClaimMode) throws {
    var store = try Store()
    let (holder, idle) = (
      Node(store.redis, place: 0, mode), Node(store.redis, place: 1, mode)
    )
    _ = try idle.pass(&store)
    #expect(!store.commands.contains("HMGET H") && idle.claims.others == .zero)
    holder.held = dollar
    _ = try holder.pass(&store)
    _ = try idle.pass(&store)
    #expect(idle.claims.others == dollar && store.calls == 0)
    #expect(holder.claims.others == .zero)
    // The list is written once, however many calls there are.
    for _ in 0..<20 {
      _ = try holder.pass(&store)
      #expect(store.commands.filter { $0 == "ZADD" }.count == 1, "that it lives")
    }
    holder.held = .zero
    for _ in 0..<12 { _ = try holder.pass(&store) }
    _ = try idle.pass(&store)
    #expect(idle.claims.others == .zero)
    // The list forgets what was not claimed for long.
    store.redis.now += 300_000
    _ = try idle.pass(&store)
    #expect(!store.commands.contains { $0 == "HGETALL H" })
  }

  /// The sum that is kept in the store counts claims that have ended, until somebody claims.
  @Test func aClaimThatHasEndedIsNotShown() throws {
    var store = try Store()
    let (holder, idle) = (
      Node(store.redis, place: 0, .strict), Node(store.redis, place: 1, .strict)
    )
    _ = try idle.pass(&store)
    holder.held = dollar
    _ = try holder.pass(&store)
    _ = try idle.pass(&store)
    #expect(idle.claims.others == dollar)
    store.redis.now += 140_000
    _ = try idle.pass(&store)
    #expect(store.commands.contains("HGETALL H") && idle.claims.others == .zero)
    // And once the list names it no more.
    idle.claims.others = dollar
    idle.reconciler.claimBook.listing.noteShown(idle.key)
    store.redis.now += 140_000
    _ = try idle.pass(&store)
    #expect(idle.claims.others == .zero)
  }

  /// The store may hold claims that no node has made: as many as a reply can have, and
  /// each as large as can be written.
  @Test func claimsThatNoNodeMakesAreNotCounted() throws {
    let now = Timestamp(unixMilliseconds: ClaimWorld.start)
    func reply(_ count: Int, _ amount: String) -> RedisValue {
      .array(
        ["s", "1.0"].map { .bytes(Array($0.utf8)) }
          + (0..<count).flatMap { number in
            ["a.\(number)", "1 \(amount) 253402300799999"].map { .bytes(Array($0.utf8)) }
          })
    }
    func others(_ reply: RedisValue) -> PicoUSD? {
      StandingClaims.others(reply, besides: "b.0", at: now)
    }
    let most = String(repeating: "9", count: 24)
    #expect(others(reply(171, "\(most).000000000000")) == .zero)
    #expect(others(reply(1, "1000000000000000.000000000000")) == .zero)
    let largest = ClaimCall.largest
    #expect(others(reply(1, largest.twelveDecimals)) == largest)
    let many = RedisBounds.standard.replyElements / 2
    #expect(
      others(reply(many, largest.twelveDecimals))
        == PicoUSD(pico: largest.pico * Int128(many)))
    let own = RedisValue.bytes(Array("1 \(most).999999999999 253402300799999".utf8))
    let first = ["7.000000000000", "253402300799999"].map { RedisValue.bytes(Array($0.utf8)) }
    #expect(
      StandingClaims.answer(.array(first + [own]), at: now) == .others(PicoUSD(dollars: 7)))
  }

  @Test func aListThatIsLostIsWrittenAgain() throws {
    var store = try Store()
    let (holder, idle) = (
      Node(store.redis, place: 0, .strict), Node(store.redis, place: 1, .strict)
    )
    _ = try idle.pass(&store)
    holder.held = dollar
    _ = try holder.pass(&store)
    _ = try holder.pass(&store)
    store.redis.flush()
    // A node that finds claims lost, or makes a new link, lists its claims again.
    holder.reconciler.linkWasMade()
    for _ in 0..<6 { _ = try holder.pass(&store) }
    _ = try idle.pass(&store)
    #expect(idle.claims.others == dollar)
  }

  /// Another store may have the claims and not the list.
  @Test func aNewLinkHasTheListWrittenAgain() throws {
    var store = try Store()
    let (holder, idle) = (
      Node(store.redis, place: 0, .strict), Node(store.redis, place: 1, .strict)
    )
    _ = try idle.pass(&store)
    holder.held = dollar
    for _ in 0..<2 { _ = try holder.pass(&store) }
    store.redis.lose(String(decoding: RedisKeys(namespace: nil).claimedKey, as: UTF8.self))
    holder.reconciler.linkWasMade()
    _ = try holder.pass(&store)
    _ = try idle.pass(&store)
    #expect(idle.claims.others == dollar)
  }

  @Test func withoutRightsSpendAndClaimsGoOn() throws {
    var store = try Store()
    let refusal = RedisRefusal(kind: .noPermission, text: "NOPERM no")
    for name in ["ZRANGEBYSCORE", "LPOP"] { store.refusing[name] = refusal }
    let holder = Node(store.redis, place: 0, .strict)
    holder.held = dollar
    let report = try holder.pass(&store)
    #expect(report.claimed == 1 && report.asideRefusal == "NOPERM no")
    _ = try holder.pass(&store)
    #expect(!store.commands.contains("ZRANGEBYSCORE") && !store.commands.contains("LPOP"))
    store.refusing = [:]
    holder.reconciler.linkWasMade()
    #expect(try holder.pass(&store).asideRefusal == nil)
    #expect(store.commands.contains("ZRANGEBYSCORE"))
  }

  // MARK: - Names' budgets

  /// It is looked at as long as this node claims something of it, and rests then.
  @Test func aNamesBudgetIsClaimedAndRestsAgain() throws {
    var store = try Store()
    let node = Node(store.redis, place: 0, .strict, isNamed: true)
    let other = Node(store.redis, place: 1, .strict, isNamed: true)
    _ = try node.pass(&store)
    #expect(node.reconciler.budgets.states.isEmpty)
    // Never charged by anybody: the window is opened for it.
    node.waiting = [PicoUSD(dollars: 8)]
    let report = try node.reconciler.callOnDemand(node, &store)
    #expect(report.claimed == 1 && node.held == PicoUSD(dollars: 8))
    #expect(node.claims.ceiling.map { $0 >= PicoUSD(dollars: 8) } == true)
    // It is held there, and not another node's to take.
    _ = try other.pass(&store)
    other.waiting = [PicoUSD(dollars: 3)]
    _ = try other.reconciler.callOnDemand(other, &store)
    #expect(other.claims.others == PicoUSD(dollars: 8))
    #expect(other.dropped == [other.key], "it has nothing there")
    _ = try node.pass(&store)
    #expect(node.reconciler.budgets.states.count == 1 && node.dropped.isEmpty)
    node.held = .zero
    for _ in 0..<12 { _ = try node.pass(&store) }
    #expect(node.dropped == [node.key] && node.claims.ceiling == nil)
    #expect(node.reconciler.budgets.states.isEmpty)
    // A pass that fails, or another configuration, does not forget a claim.
    (node.held, node.waiting) = (dollar, [dollar])
    _ = try node.reconciler.callOnDemand(node, &store)
    node.reconciler.budgets.restDynamic(at: nil)
    #expect(node.reconciler.budgets.states.count == 1)
  }

  /// A claim that a hold needs for long lasts for as long, before it is held.
  @Test func aCallCoversWhatWaits() throws {
    var store = try Store()
    let node = Node(store.redis, place: 0, .strict)
    _ = try node.pass(&store)
    (node.waiting, node.waitingSeconds) = ([dollar], 3_600)
    _ = try node.reconciler.callOnDemand(node, &store)
    #expect(node.claims.coveredUntil.unixMilliseconds >= store.redis.now + 3_600_000)
    #expect(node.claims.coveredUntil.unixMilliseconds <= store.redis.now + 3_620_000)
  }

  // MARK: - Ended elsewhere

  @Test func nodesHearWhichReservationsEndedElsewhere() throws {
    var store = try Store()
    let (maker, other) = (
      Node(store.redis, place: 0, .strict), Node(store.redis, place: 1, .strict)
    )
    maker.held = dollar
    _ = try maker.pass(&store)
    _ = try other.pass(&store)
    #expect(!store.commands.contains("LPOP"), "nothing of its own could have ended")
    let ended = [EndedReservation("r1-a", wasSettled: true), .init("r1-b", wasSettled: false)]
    // A node that nobody knows gets no list: its name is a client's word.
    other.outgoing = ["gateway-0": ended, "made-up": ended]
    _ = try other.pass(&store)
    #expect(store.redis.live("budgetd:ended:made-up") == nil)
    #expect(store.redis.expiry("budgetd:ended:gateway-0") == store.redis.now + 600_000)
    _ = try maker.pass(&store)
    #expect(maker.ended == ended && store.redis.live("budgetd:ended:gateway-0") == nil)
    // Each is told once, and what cannot be read is nobody's.
    _ = store.redis.perform(
      ["RPUSH", "budgetd:ended:gateway-0", "x", ""].map { Array($0.utf8) })
    _ = try maker.pass(&store)
    #expect(maker.ended == ended)
  }
}
