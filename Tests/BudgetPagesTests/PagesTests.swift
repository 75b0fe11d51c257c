import BudgetModel
import Foundation
import HTTPPort
import JSONWriting
import NodeFixture
import Testing

@testable import BudgetEngine
@testable import BudgetPages

@Suite struct PagesTests {
  private static let now = MemberFixture.start

  private func report(
    _ scope: BudgetScope, _ name: String, limit: Int64?, spend: Double,
    resetsAt: Timestamp? = now
  ) throws -> BudgetReport {
    BudgetReport(
      key: BudgetKey(scope: scope, name: name, windowText: "1d"),
      limit: limit.map { PicoUSD(dollars: $0) },
      spend: try PicoUSD(dollars: spend, atMost: .maximumRecord), ownSpend: .zero,
      resetsAt: resetsAt, charged: .zero)
  }

  private func text(_ response: HTTPResponse) -> String {
    String(decoding: response.body.bytes, as: UTF8.self)
  }

  @Test func providerBudgetsAreLiteLLMs() throws {
    let response = ProviderBudgetsPage.response(to: [
      try report(.provider, "openai", limit: 100, spend: 0.0002385),
      try report(.provider, "a\"z\\\u{e9}", limit: nil, spend: 0, resetsAt: nil),
    ])
    #expect(response.status == .ok)
    #expect(
      text(response)
        == #"{"providers":{"openai":{"budget_limit":100.0,"time_period":"1d","spend":0.0002385,"#
        + #""budget_reset_at":"2026-01-15T00:00:00+00:00"},"a\"z\\é":{"budget_limit":null,"#
        + #""time_period":"1d","spend":0.0,"budget_reset_at":null}}}"#)
  }

  @Test func withoutProvidersItSaysWhatLiteLLMSays() {
    let response = ProviderBudgetsPage.response(to: [])
    #expect(response.status == .internalServerError)
    #expect(
      text(response)
        == #"{"error":{"message":"No provider budget config found. Please set a provider budget "#
        + #"config in the router settings. "#
        + #"https://docs.litellm.ai/docs/proxy/provider_budget_routing","#
        + #""type":"internal_server_error","param":null,"code":"500"}}"#)
  }

  @Test func budgetsComeNearestToTheirLimitFirst() throws {
    let reports = [
      try report(.provider, "unlimited", limit: nil, spend: 1_000),
      try report(.provider, "half", limit: 10, spend: 5),
      try report(.provider, "none", limit: 0, spend: 0),
      try report(.tag, "over", limit: 10, spend: 11),
      try report(.tag, "half too", limit: 100, spend: 50),
      try report(.tag, "idle", limit: 100, spend: 0),
    ]
    #expect(
      StatusJSONPage.nearestFirst(reports).map { reports[$0].key.name }
        == ["over", "half", "half too", "idle", "none", "unlimited"])
  }

  @Test func aDenialSaysWhyAndHowLong() throws {
    #expect(
      StatusBudget.denial(try report(.provider, "openai", limit: 1, spend: 1.5))
        == "provider openai: $1.50 of $1.00 are spent; every deployment of it is denied "
        + "until 2026-01-15T00:00:00.000Z")
    #expect(
      StatusBudget.denial(try report(.deployment, "d", limit: 0, spend: 0, resetsAt: nil))
        == "deployment d: its limit is $0; it is denied until its limit is raised")
    #expect(
      StatusBudget.denial(try report(.tag, "t", limit: 0, spend: 900, resetsAt: nil))
        == "tag t: $900.00 of $0.00 are spent; every request with it is denied "
        + "until its limit is raised")
    #expect(
      StatusBudget.denial(try report(.tag, "t", limit: 5, spend: 8.001942039866)).hasPrefix(
        "tag t: $8.00 of $5.00 are spent; "))
  }

  @Test(
    arguments: [
      (0, "$0.00"), (1, "$0.000000000001"), (8_001_942_039_866, "$8.00"),
      (5_000_000_000_000, "$5.00"), (999_999_999_999, "$0.999"), (238_512_000, "$0.000238"),
      (12_500_000_000_000, "$12.50"), (1_234_567_891_000_000_000, "$1,234,567.89"),
      (-3_019_000_000_000, "-$3.01"), (-1_500_000_000_000_000, "-$1,500.00"),
      (100_000_000_000, "$0.10"), (123_456_000_000_000_000, "$123,456.00"),
    ] as [(Int128, String)])
  func moneyIsCutAsThePageCutsIt(pico: Int128, text: String) {
    #expect(PicoUSD(pico: pico).pageText == text)
  }

  @Test func aBudgetOfTheStatusPageIsJSON() throws {
    var text = JSONText()
    let report = try report(
      .tag, "q\"\\\n\u{1}é", limit: 10, spend: 2.5,
      resetsAt: Timestamp(unixMilliseconds: Self.now.unixMilliseconds + 20_000))
    let rate = SpendPace.Rate(dollarsPerSecond: 0.5, seconds: 900)
    let forecasts = Forecasts(report, at: Self.now) { span in
      span == .quarterHour ? rate : .init(dollarsPerSecond: 0.25, seconds: 90_000)
    }
    StatusBudget(report, rate: rate, forecasts).append(to: &text)
    let parsed = try #require(
      try JSONSerialization.jsonObject(with: Data(text.bytes)) as? [String: Any])
    #expect(parsed["name"] as? String == "q\"\\\n\u{1}é")
    #expect(parsed["remaining"] as? String == "7.5")
    #expect(parsed["used_ratio"] as? Double == 0.25)
    #expect(parsed["exhausts_at"] as? String == "2026-01-15T00:00:15.000Z")
    #expect(parsed["exhausts_before_reset"] as? Bool == true)
    #expect(parsed["exhausts_over"] as? String == "15m")
    let told = try #require(parsed["forecasts"] as? [String: [String: Any]])
    #expect(told["15m"]?["exhausts_at_unix_ms"] as? Int64 == Self.now.unixMilliseconds + 15_000)
    #expect(told["15m"]?["over_seconds"] as? Double == 900)
    #expect(
      told["24h"]?["exhausts_at"] is NSNull
        && told["24h"]?["rate_usd_per_second"] as? Double == 0.25)
    #expect(parsed["exhausted"] as? Bool == false)
  }

  @Test(arguments: [
    ("", nil, "", 100), ("scope=tag&q=A+b&limit=1000", BudgetScope.tag, "A b", 1_000),
    ("scope=&limit=", nil, "", 100), ("other=1", nil, "", 100),
  ])
  func queriesChoose(query: String, scope: BudgetScope?, text: String, limit: Int) throws {
    let parsed = try StatusQuery(HTTPRequest(path: "/status.json", query: query))
    #expect(parsed.scope == scope)
    #expect(parsed.text == text)
    #expect(parsed.limit == limit)
  }

  @Test(arguments: [
    "scope=team", "limit=0", "limit=1001", "limit=x", "q=" + String(repeating: "a", count: 257),
  ])
  func queriesThatCannotBeAreRefused(query: String) {
    #expect(throws: StatusQuery.Refusal.self) {
      try StatusQuery(HTTPRequest(path: "/status.json", query: query))
    }
  }

  @Test func labelsAreMadeOncePerConfiguration() throws {
    let tags = try (0..<3).map { try PageFixture.budget(.tag, "t\($0)", 1) }
    let engine = BudgetEngine(
      configuration: BudgetConfiguration(
        budgets: [try PageFixture.budget(.provider, "p", 1)] + tags, deployments: [],
        directory: .empty), at: Self.now)
    var bounds = PageBounds()
    bounds.tags = 2
    let exported = BudgetLabels().exported(of: engine.catalog, bounds)
    #expect(exported.budgets.map(\.definition.key.name) == ["p"])
    #expect(exported.providers.count == 1)
    #expect(exported.counts.map(\.inForce) == [1, 0, 0, 0, 3, 0])
    #expect(exported.counts.map(\.omitted) == [0, 0, 0, 0, 3, 0])
    bounds.tags = 3
    #expect(BudgetLabels().exported(of: engine.catalog, bounds).budgets.count == 4)
  }

  @Test func nothingIsToldOfWhatIsNotKnown() throws {
    var text = JSONText()
    StatusBudget(
      try report(.tag, "t", limit: 10, spend: 1), rate: nil, Forecasts()
    ).append(to: &text)
    let parsed = try #require(
      try JSONSerialization.jsonObject(with: Data(text.bytes)) as? [String: Any])
    for name in ["exhausts_at", "exhausts_over", "exhausts_before_reset", "rate_usd_per_second"] {
      #expect(parsed[name] is NSNull, "\(name)")
    }
    #expect((parsed["forecasts"] as? [String: Any])?.values.allSatisfy { $0 is NSNull } == true)
  }
}
