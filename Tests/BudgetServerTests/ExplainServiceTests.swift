import BudgetEngine
import BudgetModel
import BudgetWire
import SeededRandom
import Testing

@testable import BudgetServer

@Suite struct ExplainServiceTests {
  private func fixture() throws -> ServiceFixture {
    try ServiceFixture(
      [
        ServiceFixture.budget(.provider, "openai", 1, "7d"),
        ServiceFixture.budget(.provider, "azure", nil),
        ServiceFixture.budget(.deployment, "d1", 2), ServiceFixture.budget(.tag, "red", 3),
      ],
      deployments: [
        ConfiguredDeployment(id: "d1", modelName: "g", model: "openai/gpt-4o", provider: "openai"),
        ConfiguredDeployment(id: "d2", modelName: "g", model: "nobody", provider: nil),
      ])
  }

  private func explain(
    _ fixture: ServiceFixture, _ deployments: [Deployment] = [], tags: [String] = [],
    modelName: String = "", estimate: Double = 0
  ) throws -> ExplainRequestResponse {
    let reply = try fixture.call(
      .explainRequest(
        FilterDeploymentsRequest(
          deployments: deployments, tags: tags, modelName: modelName, estimatedCostUSD: estimate)))
    guard case .explained(let result) = reply.result else { throw ServiceFixtureError.otherResult }
    return result
  }

  private func record(_ dollars: Double, _ provider: String = "openai") -> RequestMessage.Method {
    var message = RecordSpendRequest(costUSD: dollars)
    message.provider = provider
    return .recordSpend(message)
  }

  @Test func everyBudgetAskedIsNamedWithItsStandingAndVerdict() throws {
    let fixture = try fixture()
    _ = try fixture.call(record(1.5))
    var held = ChargedSlots()
    held.addTag(
      slot: try #require(NameBytes.with("red") { fixture.engine.catalog.tagSlot($0) }),
      in: fixture.engine.catalog)
    fixture.engine.addPending(PicoUSD(dollars: 1), to: held)
    let result = try explain(
      fixture,
      [
        Deployment(id: "d1", model: "openai/gpt-4o"),
        Deployment(id: "new", model: "m", provider: "azure"),
        Deployment(id: "other", model: "m", provider: "unknown"),
      ], tags: ["red", "blue", "red"])
    #expect(result.candidates.map(\.provider) == ["openai", "azure", "unknown"])
    #expect(result.candidates.map(\.isAllowed) == [false, true, true])
    var openai = ExplainedBudget(scope: .provider, name: "openai", verdict: .denies)
    openai.timePeriod = "7d"
    openai.spendUSD = 1.5
    openai.limitUSD = 1
    openai.resetsAtUnixMilliseconds = ServiceFixture.start.unixMilliseconds + 7 * 86_400_000
    var own = ExplainedBudget(scope: .deployment, name: "d1", verdict: .allows)
    own.timePeriod = "1d"
    own.limitUSD = 2
    #expect(result.candidates[0].budgets == [openai, own])
    #expect(result.candidates[1].budgets.map(\.verdict) == [.allows, .noBudget])
    #expect(result.candidates[1].budgets[0].limitUSD == nil)
    #expect(
      result.candidates[2].budgets == [
        ExplainedBudget(scope: .provider, name: "unknown", verdict: .noBudget),
        ExplainedBudget(scope: .deployment, name: "other", verdict: .noBudget),
      ])
    #expect(result.tags.map(\.name) == ["red", "blue"])
    #expect(result.tags.map(\.verdict) == [.allows, .noBudget])
    // Spend that waits for the disk counts, and is told apart.
    #expect(result.tags[0].spendUSD == 1 && result.tags[0].pendingUSD == 1)
  }

  @Test func namesThatCanMatchNothingSayWhy() throws {
    let fixture = try fixture()
    let result = try explain(
      fixture,
      [
        Deployment(id: String(repeating: "x", count: 257), model: "a\0b"),
        Deployment(id: "d", provider: "op\u{1}enai"), Deployment(model: "nobody"),
        Deployment(),
      ], tags: ["re\nd"])
    #expect(
      result.candidates.map { $0.budgets.map(\.verdict) } == [
        [.unusableName, .unusableName], [.unusableName, .noBudget], [.noBudget], [.noBudget],
      ])
    #expect(
      result.candidates.flatMap { $0.budgets.map(\.reason) } == [
        "the model's name has control characters", "the name is longer than 256 bytes",
        "the name has control characters", "",
        "no provider is given and none follows from the model",
        "no provider and no model are given",
      ])
    #expect(result.tags[0].name == "re\u{FFFD}d" && result.tags[0].verdict == .unusableName)
    #expect(result.candidates.allSatisfy { $0.isAllowed })
    // Looking for a cause is no traffic.
    #expect(fixture.counters.unusableNames == 0 && fixture.counters.unresolvedModels == 0)
    #expect(fixture.requests.totals.denials == [0, 0, 0, 0, 0, 0])
  }

  @Test func aModelNameMeansItsConfiguredDeployments() throws {
    let result = try explain(fixture(), modelName: "g")
    #expect(result.candidates.map(\.deployment.id) == ["d1", "d2"])
    #expect(result.candidates.map(\.provider) == ["openai", ""])
    #expect(result.candidates[1].budgets.map(\.verdict) == [.noBudget, .noBudget])
    let unknown = try fixture().call(
      .explainRequest(FilterDeploymentsRequest(modelName: "no-such-group")))
    #expect(unknown.status?.code == .notFound)
  }

  @Test func theGatesOfTheServiceHold() throws {
    let fixture = try fixture()
    let question = RequestMessage.Method.explainRequest(FilterDeploymentsRequest(tags: ["red"]))
    #expect(
      try fixture.call(question, timeoutMilliseconds: 10, age: .seconds(1)).status?.code
        == .deadlineExceeded)
    fixture.recorder.answer(.deferred)
    try fixture.callDeferred(record(1), callID: 9)
    #expect(try fixture.call(question, callID: 9).status?.code == .invalidArgument)
    #expect(try fixture.call(question, callID: 10).status == nil)
    let position = MethodName.explainRequest.position
    #expect(fixture.requests.totals.answers[position][Int(StatusCode.ok.rawValue)] == 1)
    for amount in [-1, .nan, 9e9 + 1] {
      let bad = FilterDeploymentsRequest(tags: ["red"], estimatedCostUSD: amount)
      #expect(try fixture.call(.explainRequest(bad)).status?.code == .invalidArgument)
    }
  }

  @Test func anAnswerThatFillsItsFrameIsCutAndCounted() throws {
    let fixture = try fixture()
    let name = String(repeating: "n", count: 256)
    let deployments = (0..<160).map {
      Deployment(
        id: "\($0)" + String(repeating: "\u{1}", count: 400), modelName: name, model: name,
        provider: name)
    }
    let bounds = WireBounds.standard
    var tags: [String] = []
    for index in 0..<256 { tags.append("\(index)") }
    let whole = try explain(fixture, deployments, tags: tags)
    #expect(whole.candidates.count == 160 && whole.candidatesOmitted == 0)
    var result = ExplainRequestResponse()
    for _ in 0..<8 { result.candidates += whole.candidates }
    result.tags = whole.tags
    var frame: [UInt8] = []
    #expect(ResponseWriter().appendExplained(result, callID: 7, to: &frame))
    #expect(frame.count <= bounds.maximumResponseBytes + FrameHeader.byteCount)
    guard case .explained(let cut) = try ServiceFixture.message(in: frame).result else {
      throw ServiceFixtureError.otherResult
    }
    #expect(cut.tags == whole.tags && cut.tagsOmitted == 0)
    #expect(cut.candidates.count < result.candidates.count)
    #expect(cut.candidates == Array(result.candidates.prefix(cut.candidates.count)))
    #expect(cut.candidates.count + Int(cut.candidatesOmitted) == result.candidates.count)
  }

  /// Whatever is asked, explain says of each candidate what a filter answers in its place.
  @Test func explainAndFilterAgree() throws {
    var random = SeededRandom(seed: 20_261_126)
    for round in 0..<300 {
      let scopes: [BudgetScope] = [.provider, .deployment, .tag]
      let budgets = try scopes.flatMap { scope in
        try (0..<3).map {
          try ServiceFixture.budget(
            scope, "\(scope)-\($0)", Bool.random(using: &random) ? Int64($0) : nil)
        }
      }
      let fixture = ServiceFixture(
        budgets,
        deployments: (0..<3).map {
          ConfiguredDeployment(
            id: "deployment-\($0)", modelName: "g", model: "m\($0)", provider: "provider-\($0)")
        })
      for _ in 0..<4 {
        var message = RecordSpendRequest(costUSD: Double(Int.random(in: 0...3, using: &random)))
        message.provider = "provider-\(Int.random(in: 0...3, using: &random))"
        message.deploymentID = "deployment-\(Int.random(in: 0...3, using: &random))"
        message.tags = ["tag-\(Int.random(in: 0...3, using: &random))"]
        _ = try fixture.call(.recordSpend(message))
      }
      let question = FilterDeploymentsRequest(
        deployments: (0..<Int.random(in: 1...4, using: &random)).map { _ in
          let number = Int.random(in: 0...3, using: &random)
          return Deployment(
            id: "deployment-\(number)", model: "m\(number)",
            provider: Bool.random(using: &random) ? "provider-\((number + 1) % 4)" : "")
        },
        tags: (0..<Int.random(in: 0...2, using: &random)).map { _ in
          "tag-\(Int.random(in: 0...3, using: &random))"
        }, estimatedCostUSD: Double(Int.random(in: 0...1, using: &random)))
      let allowed = try fixture.call(.filterDeployments(question)).filtered.allowed
      let explained = try explain(
        fixture, question.deployments, tags: question.tags, estimate: question.estimatedCostUSD)
      #expect(
        explained.candidates.indices.filter { explained.candidates[$0].isAllowed }
          == allowed.map { Int($0) }, "seed \(random.seed), round \(round)")
      // The provider that is named is the one whose budget was looked at.
      for candidate in explained.candidates {
        #expect(candidate.budgets.first?.name == candidate.provider)
      }
    }
  }
}
