import BudgetModel
import Testing

@testable import BudgetEngine

@Suite struct FilterTests {
  /// Filters were half as fast when a denial had 144, and a tenth slower with 121.
  @Test func aDenialTakesSoManyBytes() {
    #expect(MemoryLayout<BudgetDenial?>.size <= 114)
  }

  @Test func theFirstFailingCheckEndsACandidateAndTagsAddOneFindingEach() throws {
    var fixture = EngineFixture([
      try budget(.provider, "openai", 1, "1d"), try budget(.deployment, "o1", 1, "1d"),
      try budget(.tag, "blue", 1, "1d"), try budget(.tag, "green", 1, "1d"),
    ])
    fixture.record(5, provider: "openai", deployment: "o1", tags: ["blue", "green"], at: at(1))
    let decision = fixture.filter(
      [("openai", "o1"), ("anthropic", "o1"), ("anthropic", "a1")],
      tags: ["blue", "green", "blue"], at: at(2))
    #expect(decision.allowed.isEmpty)
    #expect(decision.denials.map(\.candidate) == [0, 1, 2, 2])
    #expect(decision.denials.map(\.scope) == [.provider, .deployment, .tag, .tag])
    #expect(
      decision.denials.allSatisfy { $0.resetsAt == at($0.scope == .provider ? 86_400 : 86_401) })
  }

  @Test func everySpendAroundEveryLimitIsJudgedByGreaterOrEqual() throws {
    for limit in Int128(0)...4 {
      for spend in Int128(0)...4 {
        for estimate in Int128(0)...4 {
          var fixture = EngineFixture([try budget(.provider, "p", limit, "1d")])
          fixture.record(spend, provider: "p", at: at(1))
          let denied = fixture.filter([("p", "")], estimate: estimate, at: at(1)).isExhausted
          #expect(denied == (spend >= limit || spend + estimate > limit))
        }
      }
    }
  }

  @Test func noLimitNeverDeniesAndZeroAlwaysDoes() throws {
    var fixture = EngineFixture([
      try budget(.provider, "open", nil, "1d"), try budget(.provider, "shut", 0, "1d"),
      try budget(.deployment, "d0", 0, "1d"), try budget(.tag, "t0", 0, "1d"),
    ])
    fixture.record(1_000_000_000_000, provider: "open", at: at(1))
    #expect(fixture.filter([("open", ""), ("shut", "")], at: at(1)).allowed == [0])
    #expect(fixture.filter([("x", "d0")], at: at(1)).isExhausted)
    #expect(fixture.filter([("x", "")], tags: ["t0"], at: at(1)).isExhausted)
    #expect(fixture.report(.provider, "open", at: at(1))?.spend == PicoUSD(dollars: 1))
    #expect(fixture.report(.provider, "open", at: at(1))?.remaining == nil)
  }

  @Test func nothingGivenIsNothingAllowedAndNotExhausted() throws {
    var fixture = EngineFixture([try budget(.tag, "t", 0, "1d")])
    let decision = fixture.filter([], tags: ["t"], at: at(1))
    #expect(decision.allowed.isEmpty)
    #expect(!decision.isExhausted)
  }

  @Test func denialsPastTheBoundAreCounted() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 0, "1d")])
    let decision = fixture.filter(
      Array(repeating: ("p", ""), count: 10), maximumDenials: 4, at: at(1))
    #expect(decision.denials.count == 4)
    #expect(decision.denialsOmitted == 6)
  }

  @Test func namesAreBytesAndNothingElse() throws {
    var fixture = EngineFixture([
      try budget(.provider, "openai", 0, "1d"), try budget(.tag, "modèle", 0, "1d"),
    ])
    // A look-up by bytes tells apart what a C string would not.
    #expect(!fixture.filter([("openai\0x", "")], at: at(1)).isExhausted)
    #expect(!fixture.filter([("OpenAI", "")], at: at(1)).isExhausted)
    #expect(fixture.filter([("x", "")], tags: ["modèle"], at: at(1)).isExhausted)
    // The same text in another normal form is another name.
    #expect(!fixture.filter([("x", "")], tags: ["mode\u{300}le"], at: at(1)).isExhausted)
  }

  @Test func theTextIsLiteLLMsAndStopsAtItsBound() throws {
    var text = DenialText(maximumBytes: 300)
    func denial(_ scope: BudgetScope, spend: Int128, limit: Int128) -> BudgetDenial {
      BudgetDenial(
        candidate: 0, scope: scope, slot: 0, spend: PicoUSD(pico: spend),
        limit: PicoUSD(pico: limit))
    }
    let million: Int128 = 1_000_000_000_000
    let candidate = ConfiguredDeployment(id: "o1", modelName: "o1", model: "o1", provider: nil)
    text.add(
      denial(.provider, spend: million * 3 / 10, limit: million / 10), name: "openai",
      candidate: candidate, estimate: .zero)
    text.add(
      denial(.deployment, spend: 1, limit: million), name: "o1", candidate: candidate,
      estimate: PicoUSD(dollars: 2))
    for _ in 0..<5 {
      text.add(
        denial(.tag, spend: million, limit: million), name: "blue", candidate: candidate,
        estimate: .zero)
    }
    text.finish(unlisted: 7)
    #expect(
      text.text == """
        No deployments available - crossed budget: Exceeded budget for provider openai: 0.3 >= 0.1
        Would exceed budget for deployment model_name: o1, litellm_params.model: o1, model_id: o1: \
        1e-12 + 2.0 > 1.0
        ... and 12 more
        """)
    #expect(text.bytes.count <= 300)
  }
}
