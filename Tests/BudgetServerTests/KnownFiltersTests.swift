import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import Testing

@testable import BudgetServer

/// A message that comes again is answered as it was, or as things stand now.
@Suite struct KnownFiltersTests {
  private static func question(
    _ ids: [String] = ["a", "b"], provider: String = "openai", tags: [String] = ["t"],
    estimate: Double = 0
  ) -> RequestMessage.Method {
    var message = FilterDeploymentsRequest(tags: tags)
    message.estimatedCostUSD = estimate
    message.deployments = ids.map {
      Deployment(id: $0, modelName: "m", model: "gpt-4o", provider: provider)
    }
    return .filterDeployments(message)
  }

  private static func budgets(limit: Int64 = 10) throws -> [BudgetDefinition] {
    [
      try ServiceFixture.budget(.provider, "openai", 100),
      try ServiceFixture.budget(.deployment, "a", limit),
      try ServiceFixture.budget(.deployment, "b", 100),
      try ServiceFixture.budget(.tag, "t", 100),
    ]
  }

  private static let deployments = ["a", "b"].map {
    ConfiguredDeployment(id: $0, modelName: "m", model: "gpt-4o", provider: "openai")
  }

  private func spend(_ dollars: Int64, on id: String, in fixture: ServiceFixture) throws {
    var record = RecordSpendRequest(costUSD: Double(dollars))
    record.deploymentID = id
    #expect(try fixture.call(.recordSpend(record)).recorded.budgetsCharged == 2)
  }

  @Test func spendBetweenTwoEqualRequestsCounts() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    for call in 1...3 {
      #expect(
        try fixture.call(Self.question(), callID: UInt64(call)).filtered.allowed == [0, 1])
    }
    try spend(10, on: "a", in: fixture)
    for call in 4...6 {
      let filtered = try fixture.call(Self.question(), callID: UInt64(call)).filtered
      #expect(filtered.allowed == [1])
      #expect(filtered.denials.map(\.name) == ["a"])
      #expect(filtered.denials.first?.spendUSD == 10)
    }
    fixture.time.advance(milliseconds: 86_400_001)
    #expect(try fixture.call(Self.question()).filtered.allowed == [0, 1])
  }

  @Test func anExhaustedRequestGetsItsSentencesEachTime() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    _ = try fixture.call(Self.question(["a"]))
    try spend(11, on: "a", in: fixture)
    let first = try fixture.call(Self.question(["a"]))
    let second = try fixture.call(Self.question(["a"]))
    #expect(first.status?.code == .resourceExhausted)
    #expect(first.status?.message.contains("model_id: a") == true)
    #expect(second.status == first.status)
  }

  @Test func aReloadIsSeenByTheNextRequest() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    try spend(5, on: "a", in: fixture)
    #expect(try fixture.call(Self.question()).filtered.allowed == [0, 1])
    let lower = BudgetConfiguration(
      budgets: try Self.budgets(limit: 5), deployments: Self.deployments, directory: .empty)
    _ = fixture.engine.reload(lower, at: fixture.time.now())
    #expect(try fixture.call(Self.question()).filtered.allowed == [1])
    let none = BudgetConfiguration(budgets: [], deployments: [], directory: .empty)
    _ = fixture.engine.reload(none, at: fixture.time.now())
    #expect(try fixture.call(Self.question()).filtered.allowed == [0, 1])
  }

  @Test func theEstimateIsPartOfTheQuestion() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    for _ in 1...2 {
      #expect(try fixture.call(Self.question(estimate: 11)).filtered.allowed == [1])
      #expect(try fixture.call(Self.question(estimate: 9)).filtered.allowed == [0, 1])
    }
  }

  @Test func configuredCandidatesComeEachTime() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    var message = FilterDeploymentsRequest(tags: ["t"])
    message.modelName = "m"
    let first = try fixture.call(.filterDeployments(message)).filtered
    #expect(first.allowed == [0, 1] && first.candidates.map(\.id) == ["a", "b"])
    #expect(try fixture.call(.filterDeployments(message)).filtered == first)
    try spend(10, on: "a", in: fixture)
    let later = try fixture.call(.filterDeployments(message)).filtered
    #expect(later.allowed == [1] && later.denials.map(\.name) == ["a"])
    #expect(later.candidates == first.candidates)
    let other = BudgetConfiguration(
      budgets: try Self.budgets(), deployments: Array(Self.deployments.dropFirst()),
      directory: .empty)
    _ = fixture.engine.reload(other, at: fixture.time.now())
    let reloaded = try fixture.call(.filterDeployments(message)).filtered
    #expect(reloaded.allowed == [0] && reloaded.candidates.map(\.id) == ["b"])
  }

  @Test func strangeNamesAreCountedEachTime() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    for call in 1...3 {
      _ = try fixture.call(Self.question(tags: ["\u{1}"]))
      #expect(fixture.counters.unusableNames == call)
    }
    for call in 1...3 {
      _ = try fixture.call(Self.question(["x", "y"], provider: ""))
      #expect(fixture.counters.unresolvedModels == call * 2)
    }
  }

  @Test func aKnownRequestStillHasItsCallIDAndItsTime() throws {
    let fixture = ServiceFixture(try Self.budgets(), deployments: Self.deployments)
    _ = try fixture.call(Self.question(), callID: 1)
    let late = try fixture.call(
      Self.question(), callID: 2, timeoutMilliseconds: 5, age: .milliseconds(6))
    #expect(late.callID == 2)
    #expect(late.status?.code == .deadlineExceeded)
    fixture.recorder.answer(.deferred)
    var record = RecordSpendRequest(costUSD: 1)
    record.deploymentID = "a"
    try fixture.callDeferred(.recordSpend(record), callID: 3)
    #expect(try fixture.call(Self.question(), callID: 3).status?.code == .invalidArgument)
    #expect(try fixture.call(Self.question(), callID: .max).callID == .max)
  }

  @Test func moreMessagesThanPlacesAreAnsweredRight() throws {
    var budgets = try Self.budgets()
    for index in 0..<6_000 {
      budgets.append(try ServiceFixture.budget(.tag, "u\(index)", Int64(index % 3)))
    }
    let fixture = ServiceFixture(budgets, deployments: Self.deployments)
    for round in 0..<2 {
      for index in 0..<6_000 {
        let filtered = try fixture.call(Self.question(tags: ["u\(index)"])).filtered
        #expect(filtered.allowed == (index % 3 == 0 ? [] : [0, 1]), "\(index) in round \(round)")
      }
    }
  }

  /// A slot that is given back becomes another budget's: what was said of the one before is not said
  /// of it.
  @Test func aBudgetThatTookAnothersSlotIsCalledByItsName() throws {
    func tags(_ name: String) throws -> BudgetConfiguration {
      BudgetConfiguration(
        budgets: [try ServiceFixture.budget(.tag, name, 0)], deployments: [], directory: .empty)
    }
    let fixture = ServiceFixture([try ServiceFixture.budget(.tag, "a", 0)])
    var slots: [Int32] = []
    for name in ["a", "b", "c"] {
      if name != "a" { _ = fixture.engine.reload(try tags(name), at: fixture.time.now()) }
      slots += fixture.engine.catalog.budgets.map(\.slot)
      for _ in 0..<3 {
        let reply = try fixture.call(Self.question(tags: [name]))
        #expect(reply.status?.message.contains("tag='\(name)'") == true, "\(name)")
        #expect(try reply.filtered.denials.map(\.name) == [name, name])
      }
    }
    #expect(slots.count == 3 && slots[2] == slots[0], "the third has the slot of the first")
  }

  /// With a random seed nobody finds two such parts; the hash is given here.
  @Test func partsOfOneHashAreNotTakenForEachOther() {
    var memo = MessageMemo(placeCount: 1_024, partBound: 64, empty: 0)
    func meaning(_ name: String, remembering meaning: Int? = nil) -> Int? {
      NameBytes.with(name) { part in
        let sought = SoughtPart(bytes: part, hash: 7, generation: 1)
        if let meaning, memo.placeToWrite(sought) != nil, let place = memo.placeToWrite(sought) {
          memo.withMeaning(at: place) { $0 = meaning }
        }
        return memo.place(of: sought).map { place in memo.withMeaning(at: place) { $0 } }
      }
    }
    #expect(meaning("one", remembering: 1) == nil, "met for the first time")
    #expect(meaning("one", remembering: 1) == 1)
    for other in ["two", "on", "ones"] { #expect(meaning(other) == nil) }
    #expect(meaning("two", remembering: 2) == 2)
    #expect(meaning("one") == nil, "one place a hash")
  }

  /// If nothing repeats, few searches are in vain; a part that repeats again is found again.
  @Test func partsThatDoNotRepeatAreHardlyLookedFor() {
    var memo = MessageMemo(placeCount: 1_024, partBound: 64, empty: 0)
    func isLookedFor(_ name: String) -> (looked: Bool, found: Bool) {
      NameBytes.with(name) { part in
        guard let sought = memo.sought(part, under: 1) else { return (false, false) }
        let found = memo.place(of: sought) != nil
        if !found, let place = memo.placeToWrite(sought) {
          memo.withMeaning(at: place) { $0 = 7 }
        }
        return (true, found)
      }
    }
    for _ in 0..<2 { #expect(isLookedFor("known") == (true, false)) }
    #expect(isLookedFor("known") == (true, true))
    var looked = (0..<64).count { isLookedFor("new \($0)").looked }
    #expect(looked == 64)
    looked = (64..<1_664).count { isLookedFor("new \($0)").looked }
    #expect(looked == 100, "one in sixteen")
    while !isLookedFor("known").looked {}
    #expect(isLookedFor("new again").looked, "since one was found")
    for _ in 0..<300 { _ = isLookedFor("of another kind") }
    #expect(isLookedFor("of another kind").found)
  }
}
