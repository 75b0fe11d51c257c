import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import SpendLedger
import Testing

@testable import BudgetServer

/// Budgets of models, pools and everything, several windows and modes, as callers meet them.
struct OwnBudgetServiceTests {
  private static func own(
    _ scope: BudgetScope, _ name: String, _ dollars: Int64?, _ window: String,
    _ mode: BudgetMode = .enforce
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: dollars.map { PicoUSD(dollars: $0) }, mode: mode), origin: .own)
  }

  private func fixture(_ budgets: [BudgetDefinition]) -> ServiceFixture {
    let deployments = [
      ConfiguredDeployment(
        id: "d1", modelName: "chat", model: "openai/gpt-4o", provider: "openai"),
      ConfiguredDeployment(
        id: "d2", modelName: "chat", model: "groq/llama", provider: "groq", isFree: true),
      ConfiguredDeployment(id: "w", modelName: "azure/*", model: "azure/*", provider: "azure"),
    ]
    return ServiceFixture(
      engine: BudgetEngine(
        configuration: BudgetConfiguration(
          budgets: budgets,
          pools: [
            PoolMembers(name: "big", providers: ["openai"], models: ["azure/*"], deployments: [])
          ], deployments: deployments, aliases: ["default": "chat"], directory: .empty),
        at: ServiceFixture.start), time: ManualTimeSource(ServiceFixture.start))
  }

  private func record(
    _ fixture: ServiceFixture, _ dollars: Double, _ change: (inout RecordSpendRequest) -> Void
  ) throws -> Int {
    var request = RecordSpendRequest(costUSD: dollars)
    change(&request)
    return try fixture.call(.recordSpend(request)).recorded.budgetsCharged
  }

  private func filter(
    _ fixture: ServiceFixture, _ request: FilterDeploymentsRequest
  ) throws -> FilterDeploymentsResponse {
    try fixture.call(.filterDeployments(request)).filtered
  }

  /// The same candidates under other names, again and again: what is remembered of one request must
  /// not answer another.
  @Test func theNameThatWasAskedForDecidesWhateverIsRemembered() throws {
    let fixture = fixture([
      try Self.own(.model, "chat", 5, "day"), try Self.own(.model, "other", 5, "day"),
    ])
    let candidates = [Deployment(id: "d1", modelName: "chat", model: "openai/gpt-4o")]
    for _ in 0..<4 {
      #expect(try record(fixture, 0.5) { $0.deploymentID = "d1" } == 1)
      #expect(
        try record(fixture, 0.75) {
          $0.deploymentID = "d1"
          $0.modelName = "default"
        } == 1)
      #expect(
        try record(fixture, 0.25) {
          $0.deploymentID = "d1"
          $0.modelName = "other"
        } == 1)
    }
    var request = FilterDeploymentsRequest(deployments: candidates, tags: ["a"])
    for round in 0..<4 {
      request.tags = ["a\(round)"]
      for (name, isAllowed) in [("", false), ("default", false), ("other", true), ("chat", false)] {
        request.modelName = name
        #expect(try filter(fixture, request).allowed == (isAllowed ? [0] : []), "\(name)")
      }
    }
    let denial = try #require(try filter(fixture, .init(deployments: candidates)).denials.first)
    #expect(denial.scope == .model && denial.name == "chat" && denial.window == "day")
    #expect(denial.mode == .enforce && denial.spendUSD == 5 && denial.limitUSD == 5)
  }

  /// The configured candidates of an alias, of a wildcard group, of an id and of a model.
  @Test func configuredCandidatesAreFoundAsLiteLLMFindsThem() throws {
    let fixture = fixture([
      try Self.own(.model, "azure/gpt-4o", 5, "day"), try Self.own(.pool, "big", 7, "day"),
    ])
    for (name, ids) in [
      ("default", ["d1", "d2"]), ("chat", ["d1", "d2"]), ("azure/gpt-4o", ["w"]), ("d2", ["d2"]),
      ("groq/llama", ["d2"]),
    ] {
      for _ in 0..<3 {
        let answer = try filter(fixture, .init(modelName: name))
        #expect(answer.candidates.map(\.id) == ids, "\(name)")
        #expect(answer.candidates.map(\.isFree) == ids.map { $0 == "d2" })
      }
    }
    let unknown = try fixture.call(.filterDeployments(.init(modelName: "nobody")))
    #expect(unknown.status?.code == .notFound)
    // The name that was asked for has a budget, and is in a pool; the entry that serves it is not.
    #expect(
      try record(fixture, 5) {
        $0.deploymentID = "w"
        $0.modelName = "azure/gpt-4o"
      } == 2)
    let answer = try filter(fixture, .init(modelName: "azure/gpt-4o"))
    #expect(answer.allowed.isEmpty && answer.denials.first?.name == "azure/gpt-4o")
    #expect(try filter(fixture, .init(modelName: "azure/gpt-5")).allowed == [0])
    #expect(try record(fixture, 2) { $0.provider = "openai" } == 1)
    let full = try filter(fixture, .init(modelName: "azure/gpt-5"))
    #expect(full.allowed.isEmpty && full.denials.first?.scope == .pool)
    #expect(full.message.hasSuffix("Exceeded budget for pool big per day: 7.0 >= 7.0\n"))
  }

  @Test func freeDeploymentsStayUsable() throws {
    let fixture = fixture([
      try Self.own(.model, "chat", 1, "day"), try Self.own(.tag, "t", 1, "day"),
      try Self.own(.total, "total", 1, "day"),
    ])
    #expect(
      try record(fixture, 1) {
        $0.deploymentID = "d1"
        $0.tags = ["t", "t"]
      } == 3)
    for _ in 0..<3 {
      #expect(try filter(fixture, .init(tags: ["t"], modelName: "chat")).allowed == [1])
      let given = [
        Deployment(id: "x", provider: "p"), Deployment(id: "x", provider: "p", isFree: true),
      ]
      let answer = try filter(fixture, .init(deployments: given, tags: ["t"]))
      #expect(answer.allowed == [1])
      #expect(answer.denials.map(\.scope) == [.tag, .total])
    }
  }

  @Test func everyScopeIsListedOncePerWindow() throws {
    let fixture = fixture([
      try ServiceFixture.budget(.provider, "openai", 15, "1d"),
      try Self.own(.provider, "openai", 100, "month"), try Self.own(.model, "chat", nil, "week"),
      try Self.own(.pool, "big", 3, "36h", .shadow),
      try Self.own(.total, "total", 0, "year", .freeze),
    ])
    #expect(
      try record(fixture, 4) {
        $0.deploymentID = "d1"
        $0.provider = "openai"
      } == 5)
    var request = GetProviderBudgetsRequest()
    (request.includesModels, request.includesPools) = (true, true)
    let page = try fixture.call(.getProviderBudgets(request)).page
    #expect(page.providers.map(\.timePeriod) == ["1d", "month"])
    #expect(page.providers.map(\.timeZone) == ["", "UTC"])
    #expect(page.providers.map(\.remainingUSD) == [11, 96])
    #expect(page.models.map(\.limitUSD) == [nil] && page.models.map(\.spendUSD) == [4])
    #expect(page.pools.map(\.mode) == [.shadow] && page.pools.map(\.isExhausted) == [true])
    #expect(page.total.map(\.mode) == [.freeze] && page.total.map(\.name) == ["total"])
    // An old client asks for none of it.
    let old = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page
    #expect(old.models.isEmpty && old.pools.isEmpty && old.total.isEmpty)
    var named = GetProviderBudgetsRequest()
    named.providers = ["openai", "openai"]
    named.models = ["chat"]
    let found = try fixture.call(.getProviderBudgets(named)).page
    #expect(found.providers.count == 2 && found.models.count == 1)
    let answer = try filter(fixture, .init(modelName: "chat"))
    #expect(answer.allowed.isEmpty)
    #expect(answer.denials.map(\.mode) == [.freeze, .freeze])
    #expect(
      answer.message.contains("\ntotal is frozen\n")
        || answer.message.contains(": total is frozen\n"))
    let explained = try fixture.call(.explainRequest(.init(modelName: "chat"))).explained
    #expect(explained.tags.map(\.scope) == [.total] && explained.tags[0].verdict == .denies)
    #expect(explained.candidates.allSatisfy { !$0.isAllowed })
    #expect(
      explained.candidates[0].budgets.map(\.scope)
        == [.provider, .provider, .deployment, .model, .pool])
    #expect(explained.candidates[0].budgets.map(\.mode).last == .shadow)
  }

  /// A record of before the field has the fingerprint that it had; with the field it is another.
  @Test func theModelNameIsPartOfTheKeyWhereItIsGiven() throws {
    let fixture = fixture([try Self.own(.model, "chat", 5, "day")])
    for name in ["", "chat", "default", ""] {
      _ = try record(fixture, 1) {
        $0.deploymentID = "d1"
        $0.idempotencyKey = "k"
        $0.modelName = name
      }
    }
    let keys = fixture.recorder.taken.map(\.key)
    #expect(keys[0] == keys[3] && Set(keys.compactMap { $0 }.map(\.fingerprint)).count == 3)
  }
}
