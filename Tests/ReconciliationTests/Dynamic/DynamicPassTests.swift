import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// Budgets that names get from patterns, pass after pass: what is told when, and what rests.
@Suite struct DynamicPassTests {
  private static let cent: Int128 = 10_000_000_000

  /// Everything that one node and its store do.
  private final class Bench {
    let redis: VirtualRedis
    let node = Node()
    var reconciler = Reconciler(settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
    private(set) var commands = 0

    init() throws {
      redis = try VirtualRedis(script: SpendScript.text, now: 1_795_000_000_000)
    }

    var now: Timestamp { Timestamp(unixMilliseconds: redis.now) }

    @discardableResult
    func pass(
      after seconds: Int64 = 1, isUrgent: Bool = false, isLast: Bool = false
    ) throws -> PassReport {
      redis.now += seconds * 1_000
      node.time = now
      var store = Store(redis: redis)
      let report = try reconciler.pass(node, &store, isUrgent: isUrgent, isLast: isLast)
      commands = store.commands
      return report
    }

    /// The sum in the marker of a name.
    func told(_ name: String) -> String? {
      redis.hash("{budgetd_spend:tag:day:\(name)}:bd")?["sum"]
    }

    /// Another node's charge.
    func others(_ name: String, _ dollars: String, origin: String = "b.1") {
      let key = Array("budgetd_spend:tag:day:\(name)".utf8)
      let window = node.rule.window(at: now)
      let words = [
        "SYNC", "\(window.start.unixMilliseconds)", "\(window.end.unixMilliseconds)", "86400000",
        "e", "0", "-", origin, dollars, "0.000000000000",
      ]
      let reply = redis.evaluate(
        RedisScriptCall(
          keys: [key, Array("{".utf8) + key + Array("}:bd".utf8)],
          arguments: words.map { Array($0.utf8) }))
      #expect(reply.array != nil)
    }
  }

  private struct Store: FleetStore {
    let redis: VirtualRedis
    var commands = 0
    var lastRoundTrip: Duration { .zero }

    mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      self.commands += commands.count
      return commands.map { redis.perform($0) }
    }

    mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
      commands += calls.count
      return calls.map { redis.evaluate($0) }
    }
  }

  private final class Node: FleetNode {
    var rule = WindowRule.calendar(CalendarWindows(unit: .day, zone: .utc))
    var windowText = "day"
    /// The window that charges are in; nil: the rule's.
    var window: Window?
    var entryOrigin = BudgetOrigin.own
    var time = Timestamp(unixMilliseconds: 0)
    var generation: UInt64 = 1
    var entries: [String] = []
    var limit: Int64 = 5
    var hasPattern = true
    var origin = "a.1"
    var sums: [String: [String: PicoUSD]] = [:]
    private var changed: Set<String> = []
    var tellsEverything = true
    var shown: [DynamicView] = []
    var nodeID: String { "a" }

    func charge(_ name: String, _ pico: Int128) {
      sums[name, default: [:]][origin, default: .zero] += PicoUSD(pico: pico)
      changed.insert(name)
    }

    func key(_ name: String) -> BudgetKey {
      BudgetKey(scope: .tag, name: name, windowText: windowText)
    }

    func resets(otherThan edition: UInt64?) -> FleetResets? { nil }
    func budgets(otherThan known: UInt64?) -> FleetBudgets? {
      guard known != generation else { return nil }
      let pattern = BudgetPattern(
        key: key("user:*"), rule: rule, policy: BudgetPolicy(limit: PicoUSD(dollars: limit)))
      return FleetBudgets(
        generation: generation,
        budgets: entries.map {
          FleetBudget(key: key($0), limit: PicoUSD(dollars: 50), rule: rule, origin: entryOrigin)
        }, patterns: hasPattern ? [FleetPattern(pattern)] : [])
    }

    func news() -> LedgerNews {
      let window = window ?? rule.window(at: time)
      let names = tellsEverything ? Array(sums.keys) : Array(changed)
      defer { (tellsEverything, changed) = (false, []) }
      return LedgerNews(
        isComplete: tellsEverything,
        totals: names.sorted().flatMap { name in
          (sums[name] ?? [:]).sorted { $0.key < $1.key }.map {
            OriginTotal(
              key: key(name), start: window.start, end: window.end, origin: $0.key,
              cumulative: $0.value)
          }
        })
    }

    func adopt(_ adoptions: [WindowAdoption]) {
      guard rule.rollingLength == nil else { return }
      Issue.record("a calendar's window needs no adoption: \(adoptions)")
    }

    func show(_ views: [FleetView], of generation: UInt64) {}
    func showDynamic(_ views: [DynamicView]) { shown += views }
    func remember(_ records: [FleetRecord]) {
      #expect(records.allSatisfy { entries.contains($0.key.name) }, "rows for the next start")
    }
    func heard(_ time: Timestamp, roundTrip: Duration) {}
    func now() -> Timestamp { time }
  }

  @Test func newsThatCanWaitWaitsAndTheRestIsToldAtOnce() throws {
    let bench = try Bench()
    try bench.pass()
    bench.node.charge("user:small", Self.cent)
    bench.node.charge("user:large", 6 * Self.cent)
    for _ in 0..<9 {
      try bench.pass()
      #expect(bench.told("user:large") == "0.060000000000")
      #expect(bench.told("user:small") == nil)
    }
    try bench.pass()
    #expect(bench.told("user:small") == "0.010000000000")
    // From here on it waits anew, and what was told is not told again.
    bench.node.charge("user:small", Self.cent)
    try bench.pass()
    #expect(bench.told("user:small") == "0.010000000000")
    // Together they are more than a hundredth of what is left.
    bench.node.charge("user:small", 4 * Self.cent)
    try bench.pass()
    #expect(bench.told("user:small") == "0.060000000000")
  }

  @Test func aPassCostsWhatHasNews() throws {
    let bench = try Bench()
    for number in 0..<500 { bench.node.charge("user:\(number)", Self.cent) }
    try bench.pass()
    try bench.pass(after: 10)
    #expect(bench.told("user:499") == "0.010000000000")
    try bench.pass()
    // The clock and the sign of life.
    #expect(
      bench.reconciler.budgets.states.isEmpty && bench.reconciler.budgets.dynamic.rows.count == 500)
    let writes = bench.redis.writes
    try bench.pass()
    #expect(bench.redis.writes == writes + 1 && bench.commands == 4)
    bench.node.charge("user:7", 10 * Self.cent)
    try bench.pass()
    #expect(bench.told("user:7") == "0.110000000000")
  }

  @Test func othersSpendIsHeardAfterTheFirstChargeAndThenInTurns() throws {
    let bench = try Bench()
    try bench.pass()
    bench.others("user:x", "1.500000000000")
    try bench.pass()
    #expect(bench.node.shown.isEmpty, "nothing is known of a name that was never charged here")
    bench.node.charge("user:x", Self.cent)
    try bench.pass()
    #expect(bench.node.shown.map(\.others.pico) == [1_500_000_000_000])
    #expect(bench.told("user:x") == "1.500000000000", "read, and not told")
    bench.others("user:x", "2.000000000000")
    try bench.pass(after: 11)
    #expect(bench.node.shown.last?.others.pico == 2_000_000_000_000)
    #expect(bench.told("user:x") == "2.010000000000")
    // Its limit is near, at the rate of others: it is asked for in every pass.
    bench.others("user:x", "4.000000000000")
    try bench.pass(after: 11)
    bench.others("user:x", "4.900000000000")
    try bench.pass(after: 1)
    #expect(bench.node.shown.last?.others.pico == 4_900_000_000_000)
  }

  @Test func theEndOfAWindowFindsAllToldAndTheNextOneBegins() throws {
    let bench = try Bench()
    try bench.pass()
    let end = bench.node.rule.window(at: bench.now).end.unixMilliseconds
    bench.redis.now = end - 1_500
    bench.node.charge("user:x", Self.cent)
    let report = try bench.pass(after: 1)
    #expect(bench.told("user:x") == "0.010000000000")
    #expect(report.isNextUrgent && report.nextPass == .milliseconds(300))
    bench.node.charge("user:x", Self.cent)
    bench.redis.now = end - 200
    try bench.pass(after: 0, isUrgent: true)
    #expect(bench.told("user:x") == "0.020000000000")
    // Too late for its window: told as late, once.
    bench.node.charge("user:x", 7)
    bench.redis.now = end - 1
    bench.node.time = bench.now
    let news = bench.node.news()
    bench.redis.now = end + 500
    bench.reconciler.budgets.apply(news)
    bench.node.sums = [:]
    let late = try bench.pass()
    #expect(late.late.map(\.amount.pico) == [7])
    #expect(try bench.pass().late.isEmpty)
    bench.node.charge("user:x", 6 * Self.cent)
    try bench.pass()
    #expect(bench.told("user:x") == "0.060000000000", "the new window's own")
    #expect(bench.reconciler.budgets.dynamic.rows.count == 1)
    // A window that is over is forgotten in the end.
    bench.node.charge("user:y", Self.cent)
    try bench.pass(after: 700)
    try bench.pass(after: 86_400 + 700)
    try bench.pass()
    #expect(bench.reconciler.budgets.dynamic.rows.isEmpty)
  }

  @Test func theLastPassTellsAll() throws {
    let bench = try Bench()
    try bench.pass()
    for number in 0..<120 { bench.node.charge("user:\(number)", 1) }
    try bench.pass()
    #expect(bench.told("user:0") == nil)
    try bench.pass(isLast: true)
    for number in 0..<120 { #expect(bench.told("user:\(number)") == "0.000000000001") }
  }

  @Test func aNewLifeDoublesNothingAndTakesItsOwnForNobodyElses() throws {
    let bench = try Bench()
    bench.node.charge("user:x", 100 * Self.cent)
    try bench.pass()
    #expect(bench.told("user:x") == "1.000000000000")
    bench.others("user:x", "0.500000000000")
    // Killed: what the store has of it is not known any more.
    bench.reconciler = Reconciler(settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
    (bench.node.origin, bench.node.tellsEverything, bench.node.shown) = ("a.2", true, [])
    bench.reconciler.linkWasMade()
    try bench.pass()
    try bench.pass()
    #expect(bench.told("user:x") == "1.500000000000")
    #expect(Set(bench.node.shown.map(\.others.pico)) == [500_000_000_000])
    bench.node.charge("user:x", 10 * Self.cent)
    try bench.pass()
    #expect(bench.told("user:x") == "1.600000000000")
    #expect(Set(bench.node.shown.map(\.others.pico)) == [500_000_000_000])
  }

  @Test func whatTheStoreForgotComesBack() throws {
    let bench = try Bench()
    bench.node.charge("user:x", 100 * Self.cent)
    try bench.pass()
    bench.redis.flush()
    try bench.pass(after: 11)
    #expect(bench.told("user:x") == "1.000000000000", "its spend key was missing")
    bench.redis.lose("{budgetd_spend:tag:day:user:x}:bd")
    try bench.pass(after: 11)
    try bench.pass(after: 60)
    #expect(bench.told("user:x") == "1.000000000000", "its marker was looked at in its turn")
    #expect(bench.redis.text("budgetd_spend:tag:day:user:x") == "1")
  }

  @Test func anEntryGoesOnWithWhatRestsAndAPatternWithWhatAnEntryHad() throws {
    let bench = try Bench()
    bench.node.charge("user:x", Self.cent)
    try bench.pass()
    (bench.node.entries, bench.node.generation) = (["user:x"], 2)
    try bench.pass()
    #expect(
      bench.reconciler.budgets.dynamic.rows.isEmpty && bench.reconciler.budgets.states.count == 1)
    #expect(bench.told("user:x") == "0.010000000000", "entries' news does not wait")
    (bench.node.entries, bench.node.generation) = ([], 3)
    bench.node.charge("user:x", 9 * Self.cent)
    try bench.pass()
    #expect(
      bench.reconciler.budgets.dynamic.rows.count == 1 && bench.reconciler.budgets.states.isEmpty)
    #expect(bench.told("user:x") == "0.100000000000")
    // Without a pattern what is there is still told.
    (bench.node.hasPattern, bench.node.generation) = (false, 4)
    bench.node.charge("user:x", Self.cent)
    try bench.pass()
    try bench.pass(after: 11)
    #expect(bench.told("user:x") == "0.110000000000")
  }

  /// Nothing was known of the markers of another link, and then the budget came to rest.
  @Test func aMarkerThatWasLostBeforeTheBudgetRestedIsMadeAgain() throws {
    let bench = try Bench()
    bench.node.charge("user:x", 6 * Self.cent)
    try bench.pass()
    (bench.node.entries, bench.node.generation) = (["user:x"], 2)
    try bench.pass()
    #expect(bench.told("user:x") == "0.060000000000")
    bench.reconciler.linkWasMade()
    (bench.node.entries, bench.node.generation) = ([], 3)
    bench.redis.lose("{budgetd_spend:tag:day:user:x}:bd")
    for _ in 0..<3 { try bench.pass(after: 11) }
    #expect(bench.told("user:x") == "0.060000000000")
  }

  /// The keys of LiteLLM's entries are others: what a pattern's budget has spent is told under them.
  @Test func anEntryOfLiteLLMsTakesOverWhatRests() throws {
    let bench = try Bench()
    bench.node.rule = try WindowRule(text: "1d")
    bench.node.windowText = "1d"
    bench.node.window = bench.node.rule.window(at: bench.now)
    bench.node.charge("user:x", 10 * Self.cent)
    try bench.pass()
    try bench.pass()
    #expect(bench.redis.hash("{budgetd_spend:tag:1d:user:x}:bd")?["sum"] == "0.100000000000")
    (bench.node.entries, bench.node.entryOrigin, bench.node.generation) = (["user:x"], .liteLLM, 2)
    for _ in 0..<3 { try bench.pass(after: 11) }
    #expect(
      bench.reconciler.budgets.dynamic.rows.isEmpty && bench.reconciler.budgets.states.count == 1)
    let marker = "{tag_spend:user:x:1d}:bd"
    #expect(bench.redis.hash(marker)?["sum"] == "0.100000000000")
    bench.node.charge("user:x", 10 * Self.cent)
    for _ in 0..<3 { try bench.pass(after: 11) }
    #expect(bench.redis.hash(marker)?["sum"] == "0.200000000000")
  }

  @Test func whatAFailedPassReadIsShownByTheNext() throws {
    let bench = try Bench()
    try bench.pass()
    bench.others("user:x", "1.500000000000")
    bench.node.charge("user:x", Self.cent)
    try bench.pass()
    #expect(bench.node.shown.last?.others.pico == 1_500_000_000_000)
    bench.others("user:x", "2.000000000000")
    bench.node.charge("user:x", 100 * Self.cent)
    bench.redis.now += 11_000
    bench.node.time = bench.now
    var cut = CutStore(redis: bench.redis)
    #expect(throws: PassFailure.self) { try bench.reconciler.pass(bench.node, &cut) }
    try bench.pass()
    #expect(bench.told("user:x") == "3.010000000000")
    #expect(bench.node.shown.last?.others.pico == 2_000_000_000_000)
  }

  /// A store that answers reads; nothing that is told of arrives.
  private struct CutStore: FleetStore {
    let redis: VirtualRedis
    var lastRoundTrip: Duration { .zero }
    mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      commands.map { redis.perform($0) }
    }
    mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
      throw .closed
    }
  }

  @Test func aNewLifeCallsNothingLateThatAnEarlierOneHasTold() throws {
    let bench = try Bench()
    bench.node.charge("user:x", 100 * Self.cent)
    try bench.pass()
    let window = bench.node.rule.window(at: bench.now)
    bench.node.window = window
    bench.redis.now = window.end.unixMilliseconds + 300_000
    bench.reconciler = Reconciler(settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
    (bench.node.origin, bench.node.tellsEverything) = ("a.2", true)
    bench.reconciler.linkWasMade()
    for _ in 0..<3 { #expect(try bench.pass().late.isEmpty) }
  }

  @Test func othersSpendInANewWindowIsHeardAfterItsFirstCharge() throws {
    let bench = try Bench()
    try bench.pass()
    bench.node.charge("user:x", 100 * Self.cent)
    try bench.pass()
    bench.redis.now = bench.node.rule.window(at: bench.now).end.unixMilliseconds + 30_000
    bench.node.sums = [:]
    bench.others("user:x", "1.500000000000")
    bench.node.charge("user:x", Self.cent)
    try bench.pass()
    #expect(bench.node.shown.last?.others.pico == 1_500_000_000_000)
  }

  @Test func aPassThatFailsIsDueAgain() throws {
    let bench = try Bench()
    try bench.pass()
    bench.node.charge("user:x", 100 * Self.cent)
    var broken = BrokenStore()
    #expect(throws: PassFailure.self) { try bench.reconciler.pass(bench.node, &broken) }
    #expect(
      bench.reconciler.budgets.states.isEmpty && bench.reconciler.budgets.dynamic.rows.count == 1)
    try bench.pass()
    #expect(bench.told("user:x") == "1.000000000000")
  }

  /// The store as a cluster whose node with certain keys is away.
  private struct PartialStore: FleetStore {
    let redis: VirtualRedis
    let away: String
    var lastRoundTrip: Duration { .zero }
    private static let refusal = RedisValue.error(RedisRefusal(kind: .nodeAway, text: "away"))

    private func isAway(_ key: [UInt8]) -> Bool {
      String(decoding: key, as: UTF8.self).contains(away)
    }
    mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      commands.map {
        $0.count > 1 && isAway($0[1]) ? Self.refusal : redis.perform($0)
      }
    }
    mutating func perform(
      _ commands: [[[UInt8]]], reading keys: [[UInt8]]
    ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue]) {
      (try perform(commands), try perform(keys.map { [Array("GET".utf8), $0] }))
    }
    mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
      calls.map { isAway($0.keys[0]) ? Self.refusal : redis.evaluate($0) }
    }
    func slot(of key: [UInt8]) -> Int { RedisSlot.of(key) }
  }

  @Test func newsForANodeThatIsAwayWaitsAndOthersIsTold() throws {
    let bench = try Bench()
    try bench.pass()
    for name in ["user:gone", "user:here"] { bench.node.charge(name, 100 * Self.cent) }
    var partial = PartialStore(redis: bench.redis, away: "gone")
    let report = try bench.reconciler.pass(bench.node, &partial)
    #expect(report.away == 1)
    #expect(bench.told("user:here") == "1.000000000000" && bench.told("user:gone") == nil)
    #expect(
      bench.reconciler.budgets.states.isEmpty && bench.reconciler.budgets.dynamic.rows.count == 2)
    try bench.pass()
    #expect(bench.told("user:gone") == "1.000000000000")
  }

  private struct BrokenStore: FleetStore {
    var lastRoundTrip: Duration { .zero }
    mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      commands.map { command in
        switch String(decoding: command[0], as: UTF8.self) {
        case "TIME": .array([.bytes(Array("1795000002".utf8)), .bytes(Array("0".utf8))])
        case "MGET": .array(Array(repeating: .null, count: command.count - 1))
        default: .integer(1)
        }
      }
    }
    mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
      throw .closed
    }
  }

  @Test func aNameWithoutAPlaceForItsMarkerIsThisNodesAlone() throws {
    let bench = try Bench()
    bench.node.charge("user:{x", 100 * Self.cent)
    try bench.pass()
    #expect(
      bench.reconciler.budgets.dynamic.rows.isEmpty && bench.reconciler.budgets.states.isEmpty)
  }

  /// A million of them have to be small.
  @Test func aRestingBudgetIsSmall() {
    #expect(MemoryLayout<RestingBudgets.Head>.stride <= 96)
    #expect(MemoryLayout<RestingBudgets.Row>.stride <= 64)
  }
}
