import BudgetModel
import BudgetWire
import Testing

@testable import BudgetServer

@Suite struct FilterServiceTests {
  @Test func aDeniedCandidateComesWithItsBudget() throws {
    let fixture = try ServiceFixture([
      ServiceFixture.budget(.provider, "openai", 2), ServiceFixture.budget(.tag, "blue", nil),
    ])
    var record = RecordSpendRequest(costUSD: 2.5)
    record.provider = "openai"
    #expect(try fixture.call(.recordSpend(record)).recorded.budgetsCharged == 1)
    let reply = try fixture.call(
      .filterDeployments(
        FilterDeploymentsRequest(
          deployments: [
            Deployment(id: "o1", provider: "openai"),
            Deployment(id: "a1", provider: "anthropic"),
          ], tags: ["blue"])))
    #expect(reply.callID == 7)
    #expect(reply.status == nil)
    let result = try reply.filtered
    #expect(result.allowed == [1])
    let denial = try #require(result.denials.first)
    #expect(denial.position == 0 && denial.scope == .provider && denial.name == "openai")
    #expect(denial.spendUSD == 2.5 && denial.limitUSD == 2)
    #expect(
      denial.resetsAtUnixMilliseconds == ServiceFixture.start.unixMilliseconds + 86_400_000)
  }

  @Test func nothingLeftIsResourceExhaustedWithTheSentences() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "openai", 0)])
    let reply = try fixture.call(
      .filterDeployments(
        FilterDeploymentsRequest(deployments: [Deployment(provider: "openai")])))
    #expect(reply.status?.code == .resourceExhausted)
    #expect(
      reply.status?.message
        == "No deployments available - crossed budget: "
        + "Exceeded budget for provider openai: 0.0 >= 0.0\n")
    #expect(try reply.filtered.denials.count == 1)
  }

  @Test func anEstimateDeniesWhatWouldExceed() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "openai", 2)])
    func filter(_ estimate: Double) throws -> ResponseMessage {
      try fixture.call(
        .filterDeployments(
          FilterDeploymentsRequest(
            deployments: [Deployment(provider: "openai")], estimatedCostUSD: estimate)))
    }
    #expect(try filter(2).filtered.allowed == [0])
    let denied = try filter(2.5)
    #expect(
      denied.status?.message
        == "No deployments available - crossed budget: "
        + "Would exceed budget for provider openai: 0.0 + 2.5 > 2.0\n")
    #expect(try filter(-1).status?.code == .invalidArgument)
    #expect(
      try filter(.nan).status?.message
        == "estimated_cost_usd nan is not a number: give 0 to 9000000000")
  }

  /// Among many budgets candidates are read eight at a time.
  @Test func candidatesAmongManyAreTheSameAsAmongFew() throws {
    let spent = Set(stride(from: 0, to: 20_000, by: 7))
    let deployments = (0..<20_000).map {
      ConfiguredDeployment(
        id: "d-\($0)", modelName: "grp", model: "openai/gpt-4o", provider: "openai")
    }
    let fixture = ServiceFixture(
      try (0..<20_000).map {
        try ServiceFixture.budget(.deployment, "d-\($0)", spent.contains($0) ? 0 : 1)
      }, deployments: deployments)
    for count in 1...20 {
      let numbers = (0..<count).map { ($0 * 4_567 + count * 911) % 23_000 }
      let reply = try fixture.call(
        .filterDeployments(
          FilterDeploymentsRequest(
            deployments: numbers.map { $0 % 5 == 1 ? Deployment() : Deployment(id: "d-\($0)") })))
      let allowed = numbers.indices.filter { numbers[$0] % 5 == 1 || !spent.contains(numbers[$0]) }
      #expect(try reply.filtered.allowed == allowed, "\(numbers)")
    }
  }

  @Test func candidatesComeFromTheModelListWhenNoneAreGiven() throws {
    let deployments = ["a", "b"].map {
      ConfiguredDeployment(id: $0, modelName: "grp", model: "openai/gpt-4o", provider: "openai")
    }
    let fixture = try ServiceFixture(
      [ServiceFixture.budget(.deployment, "a", 0)], deployments: deployments)
    let reply = try fixture.call(
      .filterDeployments(FilterDeploymentsRequest(modelName: "grp")))
    let result = try reply.filtered
    #expect(result.allowed == [1])
    #expect(result.candidates.map(\.id) == ["a", "b"])
    #expect(result.candidates.map(\.provider) == ["openai", "openai"])
    let unknown = try fixture.call(
      .filterDeployments(FilterDeploymentsRequest(modelName: "other")))
    #expect(unknown.status?.code == .notFound)
    let strange = try fixture.call(
      .filterDeployments(FilterDeploymentsRequest(modelName: "gr\np")))
    #expect(strange.status?.code == .invalidArgument)
  }

  @Test func aModelGroupOverTheBoundIsRefusedByName() throws {
    let deployments = (0..<1_025).map {
      ConfiguredDeployment(id: "\($0)", modelName: "grp", model: "m", provider: nil)
    }
    let fixture = ServiceFixture([], deployments: deployments)
    let reply = try fixture.call(
      .filterDeployments(FilterDeploymentsRequest(modelName: "grp")))
    #expect(reply.status?.code == .failedPrecondition)
    #expect(reply.status?.message.contains("1025 deployments; at most 1024") == true)
  }

  @Test func nothingGivenIsNothingToFilter() throws {
    let fixture = ServiceFixture([])
    let reply = try fixture.call(.filterDeployments(FilterDeploymentsRequest()))
    #expect(reply.status == nil)
    #expect(try reply.filtered.allowed.isEmpty)
  }

  @Test func strangeNamesAreCountedAndTheRequestGoesOn() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.tag, "blue", 0)])
    let long = String(repeating: "x", count: 257)
    let reply = try fixture.call(
      .filterDeployments(
        FilterDeploymentsRequest(
          deployments: [Deployment(id: long, model: "a\0b", provider: "p")],
          tags: ["bl\0ue", "blue\n"])))
    #expect(try reply.filtered.allowed == [0])
    // The explicit provider spares the model a look.
    #expect(fixture.counters.unusableNames == 3)
  }

  @Test func longListsOfDenialsAndSentencesStayWithinTheirBounds() throws {
    let fixture = try ServiceFixture(
      (0..<4).map { try ServiceFixture.budget(.tag, "t\($0)", 0) })
    let deployments = Array(repeating: Deployment(provider: "p"), count: 1_000)
    let reply = try fixture.call(
      .filterDeployments(
        FilterDeploymentsRequest(deployments: deployments, tags: (0..<4).map { "t\($0)" })))
    let result = try reply.filtered
    #expect(result.denials.count == 1_024)
    #expect(result.denialsOmitted == 4_000 - 1_024)
    let message = try #require(reply.status?.message)
    #expect(message.utf8.count <= 8 * 1_024)
    let sentences = message.split(separator: "\n").count - 1
    #expect(message.hasSuffix("... and \(4_000 - sentences) more"))
  }
}
