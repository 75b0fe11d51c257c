import BudgetModel
import BudgetWire
import NodeFixture
import Testing

@testable import BudgetEngine
@testable import BudgetServer

/// GetProviderBudgets tells of everything that is frozen: also of what has no budget.
@Suite struct FrozenServiceTests {
  private static func freeze(_ scope: BudgetScope, _ name: String) -> BudgetChange {
    BudgetChange(
      .init(.mode, BudgetKey(scope: scope, name: name, windowText: "")), .mode(.freeze),
      reason: "stop", by: ChangeAuthor(name: "ops", place: ""), at: ServiceFixture.start,
      version: ChangeVersion(milliseconds: 1, node: "n"))
  }

  private func fixture() throws -> ServiceFixture {
    let pattern = try ServiceFixture.usersPattern()
    let engine = BudgetEngine(restoring: [], dynamicBudgets: 10)
    _ = engine.reload(
      BudgetConfiguration(
        budgets: [try ServiceFixture.budget(.provider, "openai", 10)], patterns: [pattern],
        deployments: [], directory: .empty), at: ServiceFixture.start)
    for (scope, name) in [
      (BudgetScope.provider, "mistral"), (.deployment, "d"), (.model, "m"), (.tag, "t"),
      (.total, "total"), (.tag, "user:*"),
    ] {
      PolicyChanging(of: engine).enforce(Self.freeze(scope, name), at: ServiceFixture.start)
    }
    return ServiceFixture(engine: engine, time: ManualTimeSource(ServiceFixture.start))
  }

  private func budgets(
    _ request: GetProviderBudgetsRequest
  ) throws -> GetProviderBudgetsResponse {
    try Self.budgets(fixture(), request)
  }

  private static func budgets(
    _ fixture: ServiceFixture, _ request: GetProviderBudgetsRequest
  ) throws -> GetProviderBudgetsResponse {
    let reply = try fixture.call(.getProviderBudgets(request))
    guard case .providerBudgets(let response)? = reply.result else { throw Missing() }
    return response
  }

  private struct Missing: Error {}

  @Test func namesWithoutABudgetAreListedBehindTheBudgets() throws {
    var request = GetProviderBudgetsRequest()
    #expect(try budgets(request).providers.map(\.name) == ["openai", "mistral"])
    #expect(try budgets(request).total.isEmpty, "it was not asked for")
    request.includesDeployments = true
    request.includesModels = true
    request.includesTags = true
    request.includesPools = true
    let all = try budgets(request)
    #expect(all.deployments.map(\.name) == ["d"] && all.models.map(\.name) == ["m"])
    #expect(all.tags.map(\.name) == ["user:*", "t"] && all.total.map(\.name) == ["total"])
    let providers: [Budget] = Array(all.providers.dropFirst())
    let frozen: [Budget] = [providers, all.deployments, all.models, all.tags, all.total].flatMap {
      $0
    }
    #expect(
      frozen.allSatisfy { $0.mode == .freeze && $0.isExhausted && $0.overrideReason == "stop" })
    #expect(frozen.filter { $0.timePeriod.isEmpty }.count == 5, "but the pattern")
    // A page at a time, each once.
    request.pageSize = 1
    var names: [String] = []
    let fixture = try fixture()
    repeat {
      let page = try Self.budgets(fixture, request)
      let rows: [[Budget]] = [
        page.providers, page.deployments, page.models, page.tags, page.total,
      ]
      names += rows.flatMap { $0.map(\.name) }
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty && names.count < 100
    #expect(names.sorted() == ["d", "m", "mistral", "openai", "t", "total", "user:*"])
  }

  @Test func ofNamesThatAreAskedForOnlyThese() throws {
    var request = GetProviderBudgetsRequest()
    request.providers = ["openai", "mistral"]
    (request.tags, request.includesTags) = (["t", "none"], true)
    request.models = ["none"]
    let named = try budgets(request)
    #expect(named.providers.map(\.name) == ["openai", "mistral"])
    #expect(named.tags.map(\.name) == ["t"] && named.models.isEmpty && named.deployments.isEmpty)
    request.providers = ["openai"]
    #expect(try budgets(request).providers.map(\.name) == ["openai"])
  }
}
