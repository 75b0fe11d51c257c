import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import SeededRandom
import Testing

@testable import BudgetServer

/// Filters and records find a request's provider by one rule: spend is counted where it is looked
/// for.
@Suite struct ProviderRuleTests {
  private static let providers = ["openai", "azure", "anthropic"]
  private static let directory = ProviderDirectory(
    ProviderFacts(
      providers: providers,
      knownModels: [
        (model: "gpt-4o", provider: "openai"), (model: "claude", provider: "anthropic"),
      ]
    ))

  /// One request's names, as a candidate or as what a record is charged to.
  private struct Names: CustomStringConvertible {
    var id = ""
    var model = ""
    var provider = ""

    var description: String { "id '\(id)', model '\(model)', provider '\(provider)'" }
  }

  private static func fixture(
    _ deployments: [ConfiguredDeployment], limit: Int64 = 1
  ) throws -> ServiceFixture {
    ServiceFixture(
      try providers.map { try ServiceFixture.budget(.provider, $0, limit) },
      deployments: deployments, directory: directory)
  }

  private static func deployment(_ id: String, _ provider: String?) -> ConfiguredDeployment {
    ConfiguredDeployment(
      id: id, modelName: "grp", model: "\(provider ?? "x")/gpt-4o-eu", provider: provider)
  }

  /// The provider whose budget denies the candidate; every provider of `exhausted` denies.
  private static func filtered(_ names: Names, by exhausted: ServiceFixture) throws -> String? {
    let reply = try exhausted.call(
      .filterDeployments(
        FilterDeploymentsRequest(deployments: [
          Deployment(id: names.id, model: names.model, provider: names.provider)
        ])))
    return try reply.filtered.denials.first?.name
  }

  /// The provider whose budget is charged.
  private static func charged(
    _ names: Names, key: String, by fixture: ServiceFixture
  ) throws -> String? {
    func spends() throws -> [String: Double] {
      let page = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page
      return Dictionary(uniqueKeysWithValues: page.providers.map { ($0.name, $0.spendUSD) })
    }
    let before = try spends()
    var record = RecordSpendRequest(costUSD: 5)
    record.deploymentID = names.id
    record.model = names.model
    record.provider = names.provider
    record.tags = ["so that there is something to charge"]
    record.idempotencyKey = key
    _ = try fixture.call(.recordSpend(record)).recorded
    return try spends().first { $0.value != before[$0.key] }?.key
  }

  private static func exhausted(_ deployments: [ConfiguredDeployment]) throws -> ServiceFixture {
    let fixture = try fixture(deployments)
    for provider in providers {
      _ = try charged(Names(provider: provider), key: "", by: fixture)
    }
    return fixture
  }

  @Test func theConfiguredDeploymentsProviderCountsInBoth() throws {
    let deployments = [Self.deployment("d4", "openai"), Self.deployment("az", "azure")]
    let cases: [(Names, String?)] = [
      (Names(id: "d4"), "openai"),
      (Names(id: "az", model: "gpt-4o"), "azure"),
      (Names(id: "az", model: "azure/gpt-4o-eu"), "azure"),
      (Names(id: "az", model: "anthropic/claude"), "azure"),
      (Names(id: "az", model: "no\nmodel"), "azure"),
      (Names(id: "az", model: "nobody's"), "azure"),
      (Names(id: "az", provider: "openai"), "openai"),
      (Names(id: "az", model: "azure/gpt-4o-eu", provider: "nobody"), nil),
      (Names(id: "elsewhere", model: "gpt-4o"), "openai"),
      (Names(id: "elsewhere"), nil),
      (Names(model: "claude"), "anthropic"),
    ]
    let exhausted = try Self.exhausted(deployments)
    let fixture = try Self.fixture(deployments)
    for (index, (names, provider)) in cases.enumerated() {
      for round in 0..<2 {
        #expect(try Self.filtered(names, by: exhausted) == provider, "\(names)")
        #expect(
          try Self.charged(names, key: "\(index)-\(round)", by: fixture) == provider, "\(names)")
      }
    }
  }

  @Test func aDeploymentWithoutAProviderHasNoneInBoth() throws {
    let deployments = [Self.deployment("own", nil)]
    let exhausted = try Self.exhausted(deployments)
    let fixture = try Self.fixture(deployments)
    for model in ["", "gpt-4o", "openai/gpt-4o"] {
      let names = Names(id: "own", model: model)
      #expect(try Self.filtered(names, by: exhausted) == nil)
      #expect(try Self.charged(names, key: model, by: fixture) == nil)
    }
    #expect(try Self.charged(Names(id: "own", provider: "azure"), key: "", by: fixture) == "azure")
    #expect(fixture.requests.totals.contradictions == 0, "the model list says nothing else")
  }

  @Test func filtersAndRecordsAgreeWhateverTheyName() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    func pick(_ texts: [String]) -> String { texts.randomElement(using: &random) ?? "" }
    for _ in 0..<30 {
      let deployments = ["a", "b", "c", "d"].filter { _ in Bool.random(using: &random) }.map {
        Self.deployment(
          $0, [nil, "openai", "azure", "others"].randomElement(using: &random) ?? nil)
      }
      let exhausted = try Self.exhausted(deployments)
      let fixture = try Self.fixture(deployments)
      for index in 0..<40 {
        let names = Names(
          id: pick(["", "a", "b", "c", "d", "e", "e\0"]),
          model: pick(["", "gpt-4o", "claude", "azure/x", "openai/gpt-4o-eu", "?", "a\tb"]),
          provider: pick(["", "", "", "openai", "anthropic", "others", "x\u{1}"]))
        let filtered = try Self.filtered(names, by: exhausted)
        let charged = try Self.charged(names, key: "\(index)", by: fixture)
        #expect(filtered == charged, "seed \(seed): \(names) with \(deployments)")
      }
      #expect(
        exhausted.requests.totals.contradictions == fixture.requests.totals.contradictions,
        "seed \(seed)")
    }
  }

  @Test func aProviderThatContradictsIsObeyedCountedAndReportedOnce() throws {
    let fixture = try Self.fixture([
      Self.deployment("d4", "openai"), Self.deployment("az", "azure"),
    ])
    for round in 0..<3 {
      let names = Names(id: "az", provider: "openai")
      #expect(try Self.charged(names, key: "k\(round)", by: fixture) == "openai")
      #expect(try Self.filtered(names, by: fixture) == "openai")
      _ = try Self.filtered(Names(id: "d4", provider: "openai"), by: fixture)
      _ = try Self.filtered(Names(id: "az", provider: "az\0ure"), by: fixture)
    }
    #expect(fixture.requests.totals.contradictions == 6)
    #expect(
      fixture.reports.lines == [
        "a request names the provider 'openai' for the deployment 'az', which is of 'azure' in the "
          + "model list: the request's provider counts; give the model list's, or none, in filters "
          + "and in records"
      ])
  }

  @Test func providersWithoutABudgetContradictToo() throws {
    let fixture = try Self.fixture([Self.deployment("m", "mistral")])
    for provider in ["mistral", "groq", "mistral", "groq", "groq"] {
      _ = try Self.filtered(Names(id: "m", provider: provider), by: fixture)
    }
    #expect(fixture.requests.totals.contradictions == 3, "known requests are counted too")
    #expect(fixture.reports.lines.count == 1)
  }

  @Test func reportsHaveABound() throws {
    let ids = (0..<ProviderContradictions.deploymentBound + 44).map { "d\($0)" }
    let fixture = try Self.fixture(ids.map { Self.deployment($0, "azure") })
    for id in ids + ids { _ = try Self.filtered(Names(id: id, provider: "openai"), by: fixture) }
    #expect(fixture.reports.lines.count == ProviderContradictions.deploymentBound)
    #expect(
      fixture.reports.lines.last?.hasSuffix(
        "; further deployments are counted only (budgetd_contradicting_providers_total)") == true)
    #expect(fixture.requests.totals.contradictions == ids.count * 2)
  }

  @Test func afterAReloadTheNewModelListCountsInBoth() throws {
    let fixture = try Self.fixture([Self.deployment("d", "openai")])
    let names = Names(id: "d", model: "gpt-4o")
    #expect(try Self.charged(names, key: "a", by: fixture) == "openai")
    for (key, provider) in [("b", "azure"), ("c", nil), ("d", "anthropic")] {
      _ = fixture.engine.reload(
        BudgetConfiguration(
          budgets: try Self.providers.map { try ServiceFixture.budget(.provider, $0, 1) },
          deployments: [Self.deployment("d", provider)], directory: Self.directory),
        at: fixture.time.now())
      #expect(try Self.charged(names, key: key, by: fixture) == provider)
      #expect(try Self.filtered(names, by: fixture) == provider, "just exhausted")
    }
    _ = fixture.engine.reload(
      BudgetConfiguration(
        budgets: try Self.providers.map { try ServiceFixture.budget(.provider, $0, 1) },
        deployments: [], directory: Self.directory), at: fixture.time.now())
    #expect(try Self.charged(names, key: "e", by: fixture) == "openai", "by its model")
  }
}
