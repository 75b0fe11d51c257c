import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// One pass, given a store's answers one at a time.
@Suite struct PassTests {
  private static let start: Int64 = 1_000_000
  private static let now: Int64 = start + 10_000
  private static let end: Int64 = start + 100_000
  private static let origin = "00000001.00000001"

  private static func at(_ time: Int64) -> Timestamp { Timestamp(unixMilliseconds: time) }
  private static func bytes(_ text: String) -> RedisValue { .bytes(Array(text.utf8)) }

  /// A store that answers as a test says.
  private struct Store: FleetStore {
    var spend: RedisValue = .null
    var merge: RedisValue = .null
    var calls: [RedisScriptCall] = []
    var lastRoundTrip: Duration { .zero }

    mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      commands.map { command in
        switch String(decoding: command[0], as: UTF8.self) {
        case "TIME":
          .array([bytes("\(now / 1_000)"), bytes("\(now % 1_000 * 1_000)")])
        case "MGET":
          .array(
            (1..<command.count).map { $0 % 2 == 1 ? spend : bytes(StoreNumber.text(at(start))) })
        default: .integer(1)
        }
      }
    }

    mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
      self.calls += calls
      return calls.map { isAway($0.keys[0]) ? Self.refusal : merge }
    }

    /// A budget's name: its node is away, for reads too or for the script alone.
    var away: String?
    var answersReads = false

    static let refusal = RedisValue.error(RedisRefusal(kind: .nodeAway, text: "10.0.0.1: gone"))

    private func isAway(_ key: [UInt8]) -> Bool {
      away.map { String(decoding: key, as: UTF8.self).contains(":\($0)") } ?? false
    }

    mutating func perform(
      _ commands: [[[UInt8]]], reading keys: [[UInt8]]
    ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue]) {
      let replies = try perform(commands)
      let values = keys.enumerated().map { place, key in
        if isAway(key), !answersReads { return Self.refusal }
        return place.isMultiple(of: 2) ? spend : bytes(StoreNumber.text(at(start)))
      }
      return (replies.map { isNodesKeyAway && $0 == .integer(1) ? Self.refusal : $0 }, values)
    }

    /// The node that has the fleet's nodes is away.
    var isNodesKeyAway = false
  }

  /// A node with nothing new.
  private final class Node: FleetNode {
    var views: [FleetView] = []
    var nodeID: String { "00000001" }
    func resets(otherThan edition: UInt64?) -> FleetResets? { nil }
    func budgets(otherThan generation: UInt64?) -> FleetBudgets? { nil }
    func news() -> LedgerNews { LedgerNews(isComplete: false, totals: []) }
    func adopt(_ adoptions: [WindowAdoption]) {}
    func show(_ views: [FleetView], of generation: UInt64) { self.views += views }
    func showDynamic(_ views: [DynamicView]) {}
    var remembered: [FleetRecord] = []
    var forgets = false
    func remember(_ records: [FleetRecord]) throws(FleetNodeError) {
      if forgets { throw FleetNodeError("the disk is full") }
      remembered += records
    }
    func heard(_ time: Timestamp, roundTrip: Duration) {}
    func now() -> Timestamp { PassTests.at(PassTests.now) }
  }

  /// A budget that has adopted its window: `own` are its totals, by origin.
  private static func state(
    _ name: String = "t", own: [String: Int128], confirmed: [String: Int128]
  ) throws -> BudgetState {
    let key = BudgetKey(scope: .tag, name: name, windowText: "100s")
    let budget = FleetBudget(
      key: key, limit: PicoUSD(dollars: 100), windowLength: .seconds(100))
    var state = BudgetState(
      budget, keys: try #require(BudgetKeys(key, in: RedisKeys(namespace: nil))), position: 0)
    var record = FleetRecord(key: key, start: at(start), end: at(end), at: at(now))
    record.confirmed = confirmed.mapValues { PicoUSD(pico: $0) }
    state.record = record
    var window = BudgetState.OwnWindow(end: at(end))
    window.parts = own.mapValues { PicoUSD(pico: $0) }
    state.windows[at(start)] = window
    state.mergedAt = at(now)
    return state
  }

  private static func reconciler(_ states: [BudgetState]) -> Reconciler {
    var reconciler = Reconciler(
      settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil))
    reconciler.budgets.generation = 1
    reconciler.budgets.states = states
    return reconciler
  }

  /// The script's answer: `stored` of each origin that it was asked for.
  private static func merged(
    _ stored: [String], total: String = "0.000000000009", added: String = "0.000000000004"
  ) -> RedisValue {
    .array(
      [
        "OK", "\(start)", "\(end)", "", "", total, "0.000000000009", "\(now)", "e",
        added,
      ].map(bytes) + stored.map(bytes))
  }

  // MARK: - Windows

  @Test func aKeyThatWentSinceItWasReadWasTheFinishedWindows() throws {
    let window = Window(start: Self.at(Self.end + 1), end: Self.at(Self.end + 100_000))
    let nine = PicoUSD(pico: 9)
    for (left, isCalendar, total) in [
      (Int64(-2), true, nil), (-2, false, nine), (-1, true, nine), (100_000, true, nine),
    ] {
      var state = try Self.state(own: [:], confirmed: [:])
      if isCalendar { state.rule = try WindowRule(text: "day") }
      (state.total, state.hasFallen) = (PicoUSD(pico: 9), true)
      state.noteStale(window, spendLeft: left, at: Self.at(Self.end + 2))
      #expect(state.total == total && state.staleUntil == nil, "\(left)")
      #expect(state.hasFallen, "what the store has lost is sent again")
    }
  }

  // MARK: - Merging

  @Test func whatTheStoreHoldsIsConfirmedUpToWhatWasSent() throws {
    for (stored, confirmed) in [("0.000000000005", Int128(5)), ("0.000000000009", 7)] {
      var reconciler = Self.reconciler([try Self.state(own: [Self.origin: 7], confirmed: [:])])
      var store = Store(spend: Self.bytes("0.000000000009"), merge: Self.merged([stored]))
      let node = Node()
      let report = try reconciler.pass(node, &store)
      #expect(report.merged == 1 && report.added.pico == 4)
      #expect(reconciler.budgets.states[0].record?.confirmed[Self.origin]?.pico == confirmed)
      #expect(node.views.map(\.others.pico) == [9 - confirmed])
    }
  }

  /// The store may hold numbers that make the script add as much as it can write, for each budget.
  @Test func theSumOfAPassIsBounded() throws {
    let states = try (0..<200).map {
      try Self.state("t\($0)", own: [Self.origin: 7], confirmed: [:])
    }
    var reconciler = Self.reconciler(states)
    let most = String(repeating: "9", count: 24) + ".999999999999"
    var store = Store(
      spend: .null, merge: Self.merged(["0.000000000007"], total: most, added: most))
    let report = try reconciler.pass(Node(), &store)
    #expect(report.merged == 200 && report.added.pico == StoreNumber.largest)
  }

  @Test func anAnswerForOtherOriginsIsNone() throws {
    for stored in [[], ["0.000000000007", "0.000000000007"]] {
      var reconciler = Self.reconciler([try Self.state(own: [Self.origin: 7], confirmed: [:])])
      var store = Store(spend: .null, merge: Self.merged(stored))
      #expect(throws: PassFailure.unexpectedReply(command: "the script")) {
        try reconciler.pass(Node(), &store)
      }
      #expect(reconciler.budgets.states[0].record?.confirmed == [:])
    }
  }

  /// One poisoned key is that budget's; a store that refuses everything is everybody's.
  @Test func aRefusalIsOfOneKeyOrOfAll() throws {
    for (kind, isOne) in [
      (RedisRefusal.Kind.wrongType, true), (.other, true), (.outOfMemory, false),
      (.readOnly, false), (.loading, false), (.cannotSave, false),
    ] {
      var reconciler = Self.reconciler([
        try Self.state("t", own: [Self.origin: 7], confirmed: [:]),
        try Self.state("u", own: [Self.origin: 7], confirmed: [:]),
      ])
      let refusal = RedisRefusal(kind: kind, text: "no")
      var store = Store(spend: .null, merge: .error(refusal))
      do throws(PassFailure) {
        let report = try reconciler.pass(Node(), &store)
        #expect(isOne && report.faultCount == 2, "\(kind)")
      } catch {
        #expect(!isOne && error == .refused(refusal), "\(kind)")
      }
    }
  }

  /// A node of a cluster that is away costs its budgets the pass, and nothing else.
  @Test(arguments: [false, true])
  func budgetsOfANodeThatIsAwayKeepWhatTheyKnew(answersReads: Bool) throws {
    var gone = try Self.state("t", own: [Self.origin: 7], confirmed: [:])
    gone.total = PicoUSD(pico: 30)
    gone.record?.total = PicoUSD(pico: 30)
    var reconciler = Self.reconciler([
      gone, try Self.state("u", own: [Self.origin: 7], confirmed: [:]),
    ])
    var store = Store(
      spend: Self.bytes("0.000000000030"), merge: Self.merged(["0.000000000007"], total: "3e-11"))
    store.away = "t"
    store.answersReads = answersReads
    let node = Node()
    let report = try reconciler.pass(node, &store)
    #expect(report.away == 1 && report.awayReason == "10.0.0.1: gone" && report.faultCount == 0)
    #expect(report.merged == 1 && store.calls.count == (answersReads ? 2 : 1))
    #expect(reconciler.budgets.states[0].total?.pico == 30 && reconciler.budgets.states[0].hasNews)
    #expect(
      !reconciler.budgets.states[0].hasFallen
        && reconciler.budgets.states[0].record?.confirmed == [:])
    #expect(reconciler.budgets.states[1].record?.confirmed[Self.origin]?.pico == 7)
    // It is back: what it has not heard is told.
    store.away = nil
    let next = try reconciler.pass(node, &store)
    #expect(next.away == 0 && next.awayReason == nil && next.merged == 1)
    #expect(!reconciler.budgets.states[0].hasNews)
  }

  @Test func withoutTheFleetsNodesTheirCountIsWhatItWas() throws {
    var reconciler = Self.reconciler([try Self.state(own: [:], confirmed: [:])])
    reconciler.budgets.nodeCount = 5
    var store = Store(spend: Self.bytes("1"))
    store.isNodesKeyAway = true
    let report = try reconciler.pass(Node(), &store)
    #expect(report.nodes == 5 && report.nodesFault == nil && report.awayReason != nil)
    #expect(report.away == 0)
  }

  @Test func aReadThatIsNoTextIsNoAnswer() throws {
    var reconciler = Self.reconciler([try Self.state(own: [:], confirmed: [:])])
    var store = Store(spend: .integer(1))
    #expect(throws: PassFailure.unexpectedReply(command: "MGET")) {
      try reconciler.pass(Node(), &store)
    }
  }

  /// Lua passes so many values on its stack, and no more.
  @Test func veryManyOriginsGoInSeveralCalls() throws {
    let own = Dictionary(uniqueKeysWithValues: (0..<600).map { ("o\($0)", Int128(1)) })
    var reconciler = Self.reconciler([try Self.state(own: own, confirmed: [:])])
    var store = Store(spend: .null, merge: .null)
    #expect(throws: PassFailure.self) { try reconciler.pass(Node(), &store) }
    #expect(store.calls.map { ($0.arguments.count - 7) / 3 } == [256, 256, 88])
  }

  // MARK: - The spend key

  private func pull(
    _ text: RedisValue, before: Int128
  ) throws -> (state: BudgetState, calls: Int, node: Node) {
    var state = try Self.state(own: [Self.origin: before], confirmed: [Self.origin: before])
    state.total = PicoUSD(pico: before)
    state.record?.total = PicoUSD(pico: before)
    var reconciler = Self.reconciler([state])
    let whole = PicoUSD(pico: before).twelveDecimals
    var store = Store(spend: text, merge: Self.merged([whole], total: whole))
    let node = Node()
    _ = try reconciler.pass(node, &store)
    return (reconciler.budgets.states[0], store.calls.count, node)
  }

  @Test func aSpendKeyThatFellIsMendedAndRoundingIsNot() throws {
    let dollars: Int128 = 5_000_000_000_000_000
    // Within a part in 10¹², and a pico-dollar.
    #expect(try pull(Self.bytes("4999.999999995001"), before: dollars).calls == 0)
    #expect(try pull(Self.bytes("4999.999999994998"), before: dollars).calls == 1)
    #expect(try pull(Self.bytes("0"), before: dollars).calls == 1)
    #expect(try pull(.null, before: dollars).calls == 1, "deleted")
    #expect(try pull(Self.bytes("5001"), before: dollars).calls == 0)
  }

  @Test func othersAreNeverLessThanNothing() throws {
    let tampered = try pull(Self.bytes("-7"), before: 10)
    #expect(tampered.node.views.allSatisfy { $0.others >= .zero })
    var state = try Self.state(own: [Self.origin: 10], confirmed: [Self.origin: 10])
    state.total = PicoUSD(pico: 4)
    #expect(state.others == .zero)
    state.total = PicoUSD(pico: 14)
    #expect(state.others.pico == 4)
  }

  /// LiteLLM deletes the key in a window's last second.
  @Test func withoutASpendKeyOthersAreWhatTheyWere() throws {
    var state = try Self.state(own: [Self.origin: 10], confirmed: [Self.origin: 10])
    state.record?.total = PicoUSD(pico: 25)
    #expect(state.total == nil && state.others.pico == 15)
  }

  // MARK: - Late spend

  @Test func lateSpendIsWhatTheStoreNeverGotAndToldOnce() throws {
    var state = try Self.state(own: [Self.origin: 10], confirmed: [Self.origin: 6])
    let start = Self.at(Self.start)
    state.endRecord()
    #expect(state.takeLate(start).pico == 4)
    #expect(state.takeLate(start) == .zero)
    state.windows[start]?.parts[Self.origin] = PicoUSD(pico: 13)
    #expect(state.takeLate(start).pico == 3)
    #expect(state.takeLate(start) == .zero)
    var whole = try Self.state(own: [Self.origin: 10], confirmed: [Self.origin: 10])
    whole.endRecord()
    #expect(whole.takeLate(start) == .zero)
  }

  /// A history has the fleet's last total of a window, also where the window ended right after it was
  /// heard, and where the ledger could not take it at once.
  @Test(arguments: [false, true])
  func theLastTotalOfAWindowThatEndedIsRemembered(isRefusedAtFirst: Bool) throws {
    var state = try Self.state(own: [:], confirmed: [:])
    state.record?.end = Self.at(Self.now - 1)
    state.record?.total = PicoUSD(dollars: 7)
    state.isUnremembered = true
    var other = try Self.state("u", own: [:], confirmed: [:])
    other.record?.end = Self.at(Self.now - 1)
    var reconciler = Self.reconciler([state, other])
    let node = Node()
    node.forgets = isRefusedAtFirst
    var store = Store()
    _ = try reconciler.pass(node, &store)
    node.forgets = false
    reconciler.close(node)
    #expect(
      node.remembered.map(\.key.name) == ["t"] && node.remembered[0].total == PicoUSD(dollars: 7))
    reconciler.close(node)
    #expect(node.remembered.count == 1, "once")
  }
}
