import BudgetEngine
import BudgetModel
import SpendLedger
import Testing

@testable import BudgetServer

@Suite struct TraceOrderTests {
  private static let start = ServiceFixture.start

  private func state(
    at milliseconds: Int64 = 0, windows: [BudgetWindowState] = []
  ) throws -> TraceState {
    let now = Self.at(milliseconds)
    let engine = BudgetEngine(
      configuration: BudgetConfiguration(
        budgets: [try ServiceFixture.budget(.provider, "p", 1)], deployments: [],
        directory: .empty), at: now)
    return TraceState(catalog: engine.catalog, windows: windows, at: now)
  }

  private static func at(_ milliseconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: start.unixMilliseconds + milliseconds)
  }

  private func token(_ number: UInt64) -> LedgerToken { LedgerToken(high: 1, low: number) }

  private func record(_ provider: String, _ number: UInt64, at milliseconds: Int64) -> TraceEvent {
    .record(
      TracedRecord(
        provider: provider, deploymentID: "", tags: [], cost: PicoUSD(pico: 1)),
      token: token(number), at: Self.at(milliseconds))
  }

  private func filter(at milliseconds: Int64) -> TraceEvent {
    .filter(
      TracedFilter(candidates: [], tags: [], estimate: .zero, allowed: [], message: nil),
      at: Self.at(milliseconds))
  }

  /// The output: `H` for a header, else the provider of a record or the op, and `at`.
  private func taken(_ order: inout TraceOrder) -> [String] {
    order.takeReady().compactMap { output in
      switch output {
      case .header: return "H"
      case .line(let bytes):
        let text = String(decoding: bytes, as: UTF8.self)
        if text.isEmpty { return nil }
        let at = text.dropFirst(#"{"at":"#.count).prefix { $0 != "," }
        if let provider = text.split(separator: #""provider":""#).dropFirst().first {
          return "\(provider.prefix { $0 != "\"" })@\(at)"
        }
        return (text.contains(#""op":"lost""#) ? "lost@" : "filter@") + at
      }
    }
  }

  @Test func whatCameBehindARecordWaitsForItsOutcome() throws {
    var order = TraceOrder(version: "1")
    order.add(.begin(try state()))
    order.add(record("a", 1, at: 1))
    order.add(filter(at: 2))
    order.add(record("b", 2, at: 3))
    order.add(filter(at: 4))
    #expect(taken(&order) == ["H"])
    order.add(.settled(token(2), recordedAt: Self.at(9)))
    #expect(taken(&order) == [])
    order.add(.settled(token(1), recordedAt: Self.at(10)))
    #expect(taken(&order) == ["a@0.001", "filter@0.002", "b@0.003", "filter@0.004"])
  }

  @Test func whatAddedNothingIsNotWritten() throws {
    var order = TraceOrder(version: "1")
    order.add(.begin(try state()))
    order.add(record("a", 1, at: 1))
    order.add(.settled(token(1), recordedAt: nil))
    // The same call id again, for another record.
    order.add(record("b", 1, at: 2))
    order.add(.settled(token(1), recordedAt: Self.at(3)))
    // An outcome of what was never taken in.
    order.add(.settled(token(7), recordedAt: Self.at(3)))
    #expect(taken(&order) == ["H", "b@0.002"])
  }

  /// Not in the windows, so part of the scenario that begins; and of the one before, in which it counted.
  @Test func whatIsUnderWayAtAReloadIsPartOfBothScenarios() throws {
    var order = TraceOrder(version: "1")
    order.add(.begin(try state()))
    order.add(record("done", 1, at: 1))
    order.add(.settled(token(1), recordedAt: Self.at(2)))
    order.add(record("late", 2, at: 5))
    order.add(record("refused", 3, at: 6))
    order.add(.begin(try state(at: 1_000)))
    order.add(filter(at: 1_001))
    order.add(.settled(token(2), recordedAt: Self.at(1_004)))
    order.add(.settled(token(3), recordedAt: nil))
    #expect(
      taken(&order) == ["H", "done@0.001", "late@0.005", "H", "late@0.000", "filter@0.001"])
  }

  @Test func outcomesThatNeverComeAreGivenUpAndCounted() throws {
    var order = TraceOrder(version: "1", bound: 3)
    order.add(.begin(try state()))
    order.add(record("a", 1, at: 1))
    for milliseconds: Int64 in 2...6 { order.add(filter(at: milliseconds)) }
    #expect(taken(&order) == ["H"])
    #expect(order.givenUp == 1)
    #expect(taken(&order).count == 5)
    order.add(.settled(token(1), recordedAt: Self.at(9)))
    order.note(lost: 3)
    order.note(lost: 3)
    #expect(taken(&order) == ["lost@0.006"])
  }

  @Test func theQueueIsBoundedAndCountsWhatItLoses() {
    let queue = TraceQueue(bound: 1_000)
    for number: UInt64 in 0..<50 { queue.add(record("p", number, at: 0)) }
    // Outcomes have as much room again; past that it is said that some are missing.
    for number: UInt64 in 0..<50 { queue.add(.settled(token(number), recordedAt: nil)) }
    let batch = queue.take()
    let taken = batch.events.count {
      if case .record = $0 { true } else { false }
    }
    #expect(taken > 0 && UInt64(50 - taken) == batch.lost)
    #expect(batch.events.reduce(0) { $0 + $1.byteCount } <= 2_000)
    #expect(batch.hasLostOutcomes && !batch.isLast)
    queue.end()
    queue.add(filter(at: 1))
    let last = queue.take()
    #expect(last.events.isEmpty && last.isLast)
  }

  @Test func amountsNamesAndInstantsAreExact() throws {
    let name = "a\"\\\n\u{1}é"
    let window = BudgetWindowState(
      key: BudgetKey(scope: .tag, name: name, windowText: "1d"), start: Self.at(-5),
      end: Self.at(7),
      spend: PicoUSD(pico: 123_456_789_012_345_678_901_234), others: PicoUSD(pico: 1))
    let header = String(
      decoding: TraceText.header(try state(windows: [window]), version: "1"), as: UTF8.self)
    #expect(header.contains(#""spend":"123456789012.345678901235""#))
    #expect(header.contains(#""start":"2026-01-14T23:59:59.995Z""#))
    #expect(header.hasSuffix("\n") && header.split(separator: "\n").count == 1)
    for pico: Int128 in [0, 1, -1, 10, 999_999_999_999, 1_000_000_000_000, 123_456_789_012_345] {
      #expect(PicoUSD(exactText: PicoUSD(pico: pico).exactText) == PicoUSD(pico: pico))
    }
    for text in ["", "-", ".5", "1.", "1e5", "+1", "1.1234567890123", " 1", "1_0", "0x1", "١"] {
      #expect(PicoUSD(exactText: text) == nil, "\(text)")
    }
    let line = String(
      decoding: TraceText.record(
        TracedRecord(provider: name, deploymentID: "d", tags: [], cost: PicoUSD(pico: 1)),
        at: Self.at(1_234_567), recordedAt: Self.at(1_234_570), since: Self.start), as: UTF8.self)
    #expect(line.contains(#""cost":0.000000000001,"committed_at":1234.570}"#))
    #expect(line.hasPrefix(#"{"at":1234.567,"#))
  }

  /// The header has every budget in the words of a configuration, each once.
  @Test func theHeaderHasTheSectionToo() throws {
    var configuration = BudgetConfiguration(
      budgets: [
        try ServiceFixture.budget(.provider, "p", 1),
        try own(.provider, "p", "month", limit: 20), try own(.pool, "all", "36h", limit: 3),
        try own(.pool, "all", "hour", limit: 2),
        try own(.total, "total", "day", limit: nil, .shadow),
      ],
      patterns: [
        BudgetPattern(
          key: BudgetKey(scope: .tag, name: "user:*", windowText: "day"),
          rule: try WindowRule(text: "day"), policy: BudgetPolicy(limit: PicoUSD(dollars: 5)))
      ],
      pools: [PoolMembers(name: "all", providers: ["p", "q*"], models: [], deployments: [])],
      deployments: [], directory: .empty)
    configuration.dynamicBudgetsFull = .deny
    let engine = BudgetEngine(configuration: configuration, at: Self.start)
    let header = TraceText.header(
      TraceState(catalog: engine.catalog, windows: [], at: Self.start), version: "1")
    let text = String(decoding: header, as: UTF8.self)
    let section = [
      #""budgetd":{"dynamic_budgets_full":"deny","budgets":["#,
      #"{"provider":"p","limit":20,"window":"month","mode":"enforce","time_zone":"UTC"},"#,
      #"{"pool":"all","of":{"providers":["p","q*"]},"limit":3,"window":"36h","mode":"enforce"},"#,
      #"{"pool":"all","limit":2,"window":"hour","mode":"enforce","time_zone":"UTC"},"#,
      #"{"total":true,"limit":null,"window":"day","mode":"shadow","time_zone":"UTC"},"#,
      #"{"tag":"user:*","limit":5,"window":"day","mode":"enforce","time_zone":"UTC"}]}"#,
    ]
    #expect(text.contains(section.joined()), "\(text)")
    #expect(text.contains(#""provider_budget_config":{"p":{"budget_limit":1,"time_period":"#))
  }

  private func own(
    _ scope: BudgetScope, _ name: String, _ window: String, limit: Int64?,
    _ mode: BudgetMode = .enforce
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: limit.map { PicoUSD(dollars: $0) }, mode: mode), origin: .own)
  }
}
