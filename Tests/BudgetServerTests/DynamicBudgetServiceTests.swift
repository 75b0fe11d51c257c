import BudgetEngine
import BudgetModel
import BudgetWire
import Logging
import NodeFixture
import Testing

@testable import BudgetServer

/// Budgets that names get from patterns, as callers meet them.
struct DynamicBudgetServiceTests {
  private static func pattern(
    _ scope: BudgetScope, _ name: String, _ dollars: Int64, _ window: String
  ) throws -> BudgetPattern {
    BudgetPattern(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window), policy: BudgetPolicy(limit: PicoUSD(dollars: dollars)))
  }

  private func fixture(_ patterns: [BudgetPattern], bound: Int = 1_000) -> ServiceFixture {
    let engine = BudgetEngine(restoring: [], dynamicBudgets: bound)
    _ = engine.reload(
      BudgetConfiguration(
        budgets: [], patterns: patterns,
        deployments: [
          ConfiguredDeployment(
            id: "d1", modelName: "chat", model: "openai/gpt-4o", provider: "openai")
        ], directory: .empty), at: ServiceFixture.start)
    return ServiceFixture(engine: engine, time: ManualTimeSource(ServiceFixture.start))
  }

  private func record(
    _ fixture: ServiceFixture, _ dollars: Double, _ tags: [String], id: String = "d1"
  ) throws -> Int {
    var request = RecordSpendRequest(costUSD: dollars)
    request.deploymentID = id
    request.tags = tags
    return try fixture.call(.recordSpend(request)).recorded.budgetsCharged
  }

  private func filter(
    _ fixture: ServiceFixture, _ tags: [String]
  ) throws -> FilterDeploymentsResponse {
    try fixture.call(
      .filterDeployments(
        .init(
          deployments: [Deployment(id: "d1", modelName: "chat", model: "openai/gpt-4o")],
          tags: tags))
    ).filtered
  }

  /// The same messages again and again, while budgets come and go and slots change hands: nothing that
  /// is remembered of one answers another.
  @Test func messagesThatRepeatMeetTheBudgetsThatThereAre() throws {
    let fixture = fixture([try Self.pattern(.tag, "user:*", 3, "60s")])
    for round in 0..<6 {
      // Who is charged first gets the first slot.
      let users = round % 2 == 0 ? ["user:a", "user:b"] : ["user:b", "user:a"]
      for user in users {
        for _ in 0..<3 {
          #expect(try filter(fixture, [user]).allowed == [0])
          #expect(try record(fixture, 1, [user, user]) == 1)
        }
        for _ in 0..<3 {
          let answer = try filter(fixture, [user])
          #expect(answer.allowed.isEmpty)
          let denial = try #require(answer.denials.first)
          #expect(denial.name == user && denial.window == "60s" && denial.spendUSD == 3)
          #expect(answer.message.contains("for tag \(user) per 60s: 3.0 >= 3.0"))
        }
      }
      #expect(fixture.engine.dynamicBudgetCount == 2)
      fixture.time.advance(milliseconds: 61_000)
      for _ in 0..<64 {
        fixture.engine.sweepDynamicBudgets(atMost: 1_000, at: fixture.time.now())
      }
      #expect(fixture.engine.dynamicBudgetCount == 0)
    }
  }

  @Test func modelsAndProvidersAreAskedByTheirNames() throws {
    let fixture = fixture([
      try Self.pattern(.provider, "open*", 5, "day"), try Self.pattern(.model, "*", 3, "day"),
    ])
    for _ in 0..<3 {
      #expect(try filter(fixture, []).allowed == [0])
      #expect(try record(fixture, 1, []) == 2)
    }
    for _ in 0..<3 {
      #expect(try filter(fixture, []).denials.map(\.name) == ["chat"])
      let configured = try fixture.call(.filterDeployments(.init(modelName: "chat"))).filtered
      #expect(configured.denials.map(\.name) == ["chat"] && configured.allowed.isEmpty)
    }
    let explained = try fixture.call(.explainRequest(.init(modelName: "chat"))).explained
    #expect(explained.candidates.map(\.isAllowed) == [false])
    let budgets = explained.candidates[0].budgets
    #expect(budgets.map(\.name) == ["openai", "d1", "chat"])
    #expect(budgets.map(\.spendUSD) == [3, 0, 3])
    #expect(budgets.map(\.verdict) == [.allows, .noBudget, .denies])
    #expect(try record(fixture, 2, []) == 2)
    #expect(try filter(fixture, []).denials.map(\.name) == ["openai"])
  }

  @Test func unusableNamesMatchNoPattern() throws {
    let fixture = fixture([try Self.pattern(.tag, "user:*", 3, "day")])
    let long = "user:" + String(repeating: "x", count: 300)
    for name in ["user:\u{7}", long] {
      #expect(try record(fixture, 9, [name, "user:a"]) == 1)
      #expect(try filter(fixture, [name]).allowed == [0])
    }
    #expect(fixture.engine.dynamicBudgetCount == 1)
  }

  /// To look at each of very many names takes longer than a lane may.
  @Test func theNearestOfManyAreToldOffTheLane() throws {
    let fixture = fixture([try Self.pattern(.tag, "user:*", 10, "day")], bound: 20_000)
    var nearest = GetProviderBudgetsRequest()
    (nearest.pattern, nearest.nearest) = ("user:*", 1)
    fixture.charge(names: 0..<10_000)
    #expect(try fixture.call(.getProviderBudgets(nearest)).page.tags.map(\.name) == ["user:9999"])
    fixture.charge(names: 10_000..<10_001)
    try fixture.callDeferred(.getProviderBudgets(nearest), callID: 8)
    nearest.pattern = "nobody:*"
    try fixture.callDeferred(.getProviderBudgets(nearest), callID: 9)
    let refused = try fixture.call(.getProviderBudgets(nearest), callID: 10)
    #expect(refused.status?.code == .unavailable, "no place to wait")
    // A list of all looks at no name.
    var all = GetProviderBudgetsRequest()
    all.includesTags = true
    #expect(try fixture.call(.getProviderBudgets(all), callID: 11).page.tags.count == 1)
    fixture.charge(names: 10_001..<10_002)
    let told = try #require(fixture.recorder.takeAnswer(callID: 8))
    #expect(told.code == .ok)
    #expect(
      try ServiceFixture.message(in: told.frame).page.tags.map(\.name) == ["user:10001"],
      "as it is when it is answered")
    let unknown = try #require(fixture.recorder.takeAnswer(callID: 9))
    #expect(unknown.code == .notFound)
    #expect(try ServiceFixture.message(in: unknown.frame).status?.code == .notFound)
  }

  @Test func namedOnesAndTheNearestAreTold() throws {
    let fixture = fixture([
      try Self.pattern(.tag, "user:*", 10, "day"), try Self.pattern(.tag, "user:*", 100, "month"),
    ])
    for (user, dollars) in [("user:a", 4), ("user:b", 9), ("user:c", 6)] as [(String, Double)] {
      #expect(try record(fixture, dollars, [user]) == 2)
    }
    var named = GetProviderBudgetsRequest()
    named.tags = ["user:b", "user:b", "user:nobody"]
    let page = try fixture.call(.getProviderBudgets(named)).page
    #expect(page.tags.map(\.timePeriod) == ["day", "month"])
    #expect(page.tags.map(\.remainingUSD) == [1, 91])
    var nearest = GetProviderBudgetsRequest()
    (nearest.pattern, nearest.nearest) = ("user:*", 2)
    let two = try fixture.call(.getProviderBudgets(nearest)).page
    #expect(two.tags.map(\.name) == ["user:b", "user:c"] && two.tags.map(\.spendUSD) == [9, 6])
    #expect(two.providers.isEmpty && two.nextPageToken.isEmpty)
    nearest.pattern = "nobody:*"
    let unknown = try fixture.call(.getProviderBudgets(nearest))
    #expect(unknown.status?.code == .notFound)
    // A list of all has the patterns, never the names.
    var all = GetProviderBudgetsRequest()
    all.includesTags = true
    let listed = try fixture.call(.getProviderBudgets(all)).page
    #expect(Set(listed.tags.map(\.name)) == ["user:*"] && listed.tags.count == 2)
    // Each says what a name may spend in such a window, and how many names there are.
    #expect(listed.tags.allSatisfy { $0.limitUSD == nil && ($0.pattern?.live ?? 0) > 0 })
    let limits = Set(listed.tags.map { $0.pattern?.limitUSD })
    #expect(limits == Set(page.tags.map(\.limitUSD)) && page.tags.allSatisfy { $0.pattern == nil })
  }

  /// The ledger keeps windows for weeks: of names that nobody lists only the open ones come back.
  @Test func endedWindowsOfNamesThatNobodyListsStayInTheLedger() throws {
    func window(_ scope: BudgetScope, _ name: String, end: Int64) -> BudgetWindowState {
      BudgetWindowState(
        key: BudgetKey(scope: scope, name: name, windowText: "day"),
        start: Timestamp(unixMilliseconds: end - 10), end: Timestamp(unixMilliseconds: end),
        spend: .zero)
    }
    let windows = [
      window(.tag, "user:open", end: 100), window(.tag, "user:ended", end: 99),
      window(.tag, "user:ann", end: 9), window(.tag, "team", end: 9),
      window(.model, "user:ended", end: 9),
    ]
    var configuration = BudgetConfiguration(
      budgets: [
        BudgetDefinition(
          key: BudgetKey(scope: .tag, name: "user:ann", windowText: "hour"),
          rule: try WindowRule(text: "hour"), policy: BudgetPolicy(limit: nil), origin: .own)
      ], patterns: [try Self.pattern(.tag, "user:*", 1, "day")], deployments: [],
      directory: .empty)
    let now = Timestamp(unixMilliseconds: 100)
    #expect(
      LedgerSync.restorable(windows, configuration, at: now).map(\.key.name)
        == ["user:open", "user:ann", "team", "user:ended"])
    configuration.patterns = []
    #expect(LedgerSync.restorable(windows, configuration, at: now).count == 5)
  }

  /// A line a minute says that names found no place, and the sweeping is a slice at a time.
  @Test func upkeepSweepsAndSaysThatNamesFindNoPlace() throws {
    let fixture = fixture([try Self.pattern(.tag, "user:*", 1, "60s")], bound: 2)
    let lines = TestLog.Lines()
    let upkeep = DynamicUpkeep(
      fixture.engine, fixture.time, log: Logger(label: "test") { _ in TestLog(lines) })
    for number in 0..<5 { #expect(try record(fixture, 1, ["user:\(number)"]) == 1) }
    for _ in 0..<3 { upkeep.look(fixture.engine, at: fixture.time.now()) }
    #expect(lines.all.count == 1 && lines.all[0].contains("3 charges of other names"))
    #expect(fixture.engine.dynamicBudgetCount == 2)
    fixture.time.advance(milliseconds: 61_000)
    #expect(try record(fixture, 1, ["user:9"]) == 1)
    upkeep.look(fixture.engine, at: fixture.time.now())
    #expect(lines.all.count == 1 && fixture.engine.dynamicBudgetCount == 1)
  }
}

extension ServiceFixture {
  /// Charges `user:N` of each number with N + 1 ten-thousandths of a dollar.
  fileprivate func charge(names: Range<Int>) {
    let (catalog, now) = (engine.catalog, time.now())
    var charged = ChargedSlots()
    for number in names {
      charged.begin()
      NameBytes.with("user:\(number)") {
        charged.add(ScopedName(.tag, $0), in: catalog, of: engine, at: now)
      }
      engine.record(PicoUSD(pico: Int128(number + 1) * 100_000_000), to: charged, at: now)
    }
  }
}
