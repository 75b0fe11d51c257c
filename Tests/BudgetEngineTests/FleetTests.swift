import BudgetModel
import Testing

@testable import BudgetEngine

@Suite struct FleetTests {
  private func window(
    _ name: String, from start: Double, to end: Double, spend: Int128, others: Int128 = 0
  ) -> BudgetWindowState {
    BudgetWindowState(
      key: BudgetKey(scope: .provider, name: name, windowText: "60s"), start: at(start),
      end: at(end), spend: PicoUSD(pico: spend), others: PicoUSD(pico: others))
  }

  private func catalogBudget(_ fixture: EngineFixture, _ name: String) throws -> CatalogBudget {
    try #require(NameBytes.with(name) { fixture.engine.catalog.budget(.provider, $0) })
  }

  // MARK: - Others' spend

  @Test func whatOthersHaveSpentDeniesAndIsReported() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    fixture.record(4, provider: "p", at: at(1))
    #expect(!fixture.filter([("p", "")], at: at(1)).isExhausted)
    fixture.engine.show(
      others: PicoUSD(pico: 5), of: try catalogBudget(fixture, "p"), inWindowFrom: at(0))
    #expect(!fixture.filter([("p", "")], at: at(1)).isExhausted)
    // An estimate is judged by the fleet's spend too.
    #expect(!fixture.filter([("p", "")], estimate: 1, at: at(1)).isExhausted)
    #expect(fixture.filter([("p", "")], estimate: 2, at: at(1)).isExhausted)
    fixture.engine.show(
      others: PicoUSD(pico: 6), of: try catalogBudget(fixture, "p"), inWindowFrom: at(0))
    let decision = fixture.filter([("p", "")], at: at(1))
    #expect(decision.denials.map(\.spend.pico) == [10])
    #expect(decision.denials.map(\.withheld) == [.zero])
    let report = fixture.report(.provider, "p", at: at(1))
    #expect(report?.spend.pico == 10)
    #expect(report?.ownSpend.pico == 4)
    #expect(report?.remaining == .zero)
    #expect(report?.isExhausted == true)
  }

  @Test func othersSpendBelongsToItsWindowAlone() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    let shown = try catalogBudget(fixture, "p")
    fixture.engine.show(others: PicoUSD(pico: 10), of: shown, inWindowFrom: at(7))
    #expect(!fixture.filter([("p", "")], at: at(1)).isExhausted)
    fixture.engine.show(others: PicoUSD(pico: 10), of: shown, inWindowFrom: at(0))
    #expect(fixture.filter([("p", "")], at: at(60)).isExhausted)
    #expect(!fixture.filter([("p", "")], at: at(60.001)).isExhausted)
    #expect(fixture.report(.provider, "p", at: at(61))?.spend == .zero)
    fixture.record(1, provider: "p", at: at(61))
    #expect(fixture.report(.provider, "p", at: at(61))?.spend.pico == 1)
    // Less than nothing, as a store that was tampered with may say, is nothing.
    fixture.engine.show(others: PicoUSD(pico: -5), of: shown, inWindowFrom: at(61))
    #expect(fixture.report(.provider, "p", at: at(61))?.spend.pico == 1)
  }

  @Test func aRestoredWindowKnowsOthersSpend() throws {
    let engine = BudgetEngine(restoring: [
      window("p", from: -5, to: 55, spend: 3, others: 4)
    ])
    _ = engine.reload(
      EngineFixture.configuration([try budget(.provider, "p", 10, "60s")]), at: at(0))
    let budget = try #require(NameBytes.with("p") { engine.catalog.budget(.provider, $0) })
    #expect(engine.report(on: budget, at: at(0)).spend.pico == 7)
    #expect(engine.report(on: budget, at: at(0)).ownSpend.pico == 3)
    #expect(engine.isOpen(budget, windowFrom: at(-5), at: at(0)))
    #expect(!engine.isOpen(budget, windowFrom: at(0), at: at(0)))
    #expect(!engine.isOpen(budget, windowFrom: at(-5), at: at(56)))
  }

  // MARK: - Adoption

  @Test func anAdoptedWindowTakesThePlaceOfThoseItReplaces() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    fixture.record(4, provider: "p", at: at(1))
    fixture.engine.adopt(
      window("p", from: -20, to: 40, spend: 4, others: 3), replacing: [at(0)], at: at(2))
    let report = fixture.report(.provider, "p", at: at(2))
    #expect(report?.spend.pico == 7)
    #expect(report?.ownSpend.pico == 4)
    #expect(report?.resetsAt == at(40))
    fixture.record(1, provider: "p", at: at(40))
    #expect(fixture.report(.provider, "p", at: at(40))?.ownSpend.pico == 5)
    fixture.record(1, provider: "p", at: at(40.001))
    #expect(fixture.report(.provider, "p", at: at(41))?.spend.pico == 1)
    #expect(fixture.report(.provider, "p", at: at(41))?.resetsAt == at(100.001))
  }

  /// LiteLLM's hosts have clocks of their own: a start may lie past its window's end. It only names
  /// the window; the end says when it is over.
  @Test func aWindowNamedByAClockThatIsAheadIsAdopted() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    fixture.record(4, provider: "p", at: at(1))
    fixture.engine.adopt(window("p", from: 300, to: 40, spend: 4), replacing: [at(0)], at: at(2))
    fixture.record(1, provider: "p", at: at(40))
    #expect(fixture.report(.provider, "p", at: at(40))?.ownSpend.pico == 5)
    #expect(fixture.report(.provider, "p", at: at(40))?.resetsAt == at(40))
    #expect(fixture.report(.provider, "p", at: at(41))?.spend == .zero)
  }

  @Test func repeatingAnAdoptionKeepsWhatOthersSpent() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    let adopted = window("p", from: -20, to: 40, spend: 4)
    fixture.engine.adopt(adopted, replacing: [at(0)], at: at(2))
    fixture.engine.show(
      others: PicoUSD(pico: 3), of: try catalogBudget(fixture, "p"), inWindowFrom: at(-20))
    fixture.engine.adopt(adopted, replacing: [at(0)], at: at(3))
    #expect(fixture.report(.provider, "p", at: at(3))?.spend.pico == 7)
    // The store's end may have moved.
    fixture.engine.adopt(window("p", from: -20, to: 30, spend: 4), replacing: [], at: at(3))
    #expect(fixture.report(.provider, "p", at: at(3))?.resetsAt == at(30))
  }

  /// Between the news and the adoption a window ended and a charge opened the next.
  @Test func aWindowThatOpenedMeanwhileStaysCounted() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    fixture.record(4, provider: "p", at: at(1))
    fixture.record(2, provider: "p", at: at(61))
    // The fleet's window is still open: it is the one, and the two are counted until they move.
    fixture.engine.adopt(window("p", from: 5, to: 65, spend: 4), replacing: [at(0)], at: at(62))
    #expect(fixture.report(.provider, "p", at: at(62))?.ownSpend.pico == 6)
    #expect(fixture.report(.provider, "p", at: at(62))?.resetsAt == at(65))
    // It is over: the later one stays.
    fixture.record(2, provider: "p", at: at(66))
    fixture.engine.adopt(window("p", from: 5, to: 65, spend: 6), replacing: [at(0)], at: at(67))
    #expect(fixture.report(.provider, "p", at: at(67))?.ownSpend.pico == 2)
  }

  @Test func pendingSpendStaysPendingOverAnAdoption() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    let charged = fixture.charged(provider: "p")
    fixture.engine.addPending(PicoUSD(pico: 6), to: charged)
    fixture.engine.adopt(window("p", from: -20, to: 40, spend: 4), replacing: [at(0)], at: at(2))
    #expect(fixture.filter([("p", "")], at: at(2)).isExhausted)
    fixture.engine.commit(PicoUSD(pico: 6), of: charged, at: at(3))
    #expect(fixture.report(.provider, "p", at: at(3))?.ownSpend.pico == 10)
  }

  @Test func unknownAndRetiredBudgetsArePassedOver() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    fixture.engine.adopt(window("x", from: 0, to: 60, spend: 4), replacing: [], at: at(1))
    _ = fixture.reload([try budget(.provider, "p", 10, "1h")], at: at(2))
    fixture.engine.adopt(window("p", from: -20, to: 40, spend: 4), replacing: [at(0)], at: at(3))
    let report = fixture.report(.provider, "p", at: at(3))
    #expect(report?.spend == .zero)
    #expect(report?.resetsAt == at(3_602))
  }

  // MARK: - Withholding

  /// Each node gives out its part of what is left, and no more, in this window and in the next.
  @Test(arguments: [1, 2, 3, 7])
  func aNodeGivesOutItsPartOfWhatIsLeft(nodes: Int) throws {
    for spent in Int128(0)...12 {
      for others in Int128(0)...3 {
        var fixture = EngineFixture([try budget(.provider, "p", 12, "60s")])
        let limited = try catalogBudget(fixture, "p")
        fixture.record(spent, provider: "p", at: at(1))
        fixture.engine.show(
          others: PicoUSD(pico: others), of: limited, inWindowFrom: at(0))
        fixture.engine.withhold(of: limited, nodes: nodes, nextNodes: nodes, at: at(1))
        var given: Int128 = 0
        while !fixture.filter([("p", "")], at: at(2)).isExhausted {
          fixture.record(1, provider: "p", at: at(2))
          given += 1
        }
        #expect(given == max(0, 12 - spent - others) / Int128(nodes))
        // Shown to nobody: it is not spent.
        #expect(fixture.report(.provider, "p", at: at(2))?.spend.pico == spent + others + given)
        given = 0
        while !fixture.filter([("p", "")], at: at(61)).isExhausted {
          fixture.record(1, provider: "p", at: at(61))
          given += 1
        }
        #expect(given == 12 / Int128(nodes))
        fixture.engine.endWithholding()
        #expect(fixture.filter([("p", "")], at: at(61)).isExhausted == (nodes == 1))
      }
    }
  }

  @Test func withheldPartsAreReckonedOnceForALimit() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 12, "60s")])
    fixture.engine.withhold(
      of: try catalogBudget(fixture, "p"), nodes: 2, nextNodes: 4, at: at(1))
    fixture.record(5, provider: "p", at: at(1))
    fixture.engine.withhold(
      of: try catalogBudget(fixture, "p"), nodes: 2, nextNodes: 4, at: at(1))
    #expect(!fixture.filter([("p", "")], at: at(1)).isExhausted)
    fixture.record(1, provider: "p", at: at(1))
    #expect(fixture.filter([("p", "")], at: at(1)).isExhausted)
    // Another limit is shared out anew: 14 are left of it, 7 of them this node's.
    _ = fixture.reload([try budget(.provider, "p", 20, "60s")], at: at(2))
    fixture.engine.withhold(
      of: try catalogBudget(fixture, "p"), nodes: 2, nextNodes: 4, at: at(2))
    let denial = fixture.filter([("p", "")], estimate: 8, at: at(2)).denials.first
    #expect(denial?.withheld.pico == 7)
    #expect(denial?.spend.pico == 13)
    #expect(!fixture.filter([("p", "")], estimate: 7, at: at(2)).isExhausted)
    // And none at all: nothing to share.
    _ = fixture.reload([try budget(.provider, "p", nil, "60s")], at: at(2))
    fixture.engine.withhold(
      of: try catalogBudget(fixture, "p"), nodes: 2, nextNodes: 4, at: at(2))
    #expect(!fixture.filter([("p", "")], at: at(2)).isExhausted)
  }

  @Test func withNoWindowOpenTheNextOnesPartCounts() throws {
    var fixture = EngineFixture([try budget(.tag, "t", 12, "60s")])
    let tag = try #require(NameBytes.with("t") { fixture.engine.catalog.budget(.tag, $0) })
    fixture.engine.withhold(of: tag, nodes: 2, nextNodes: 3, at: at(1))
    #expect(fixture.filter([("x", "")], tags: ["t"], estimate: 5, at: at(1)).isExhausted)
    #expect(!fixture.filter([("x", "")], tags: ["t"], estimate: 4, at: at(1)).isExhausted)
    fixture.record(4, tags: ["t"], at: at(2))
    #expect(fixture.filter([("x", "")], tags: ["t"], at: at(2)).isExhausted)
  }

  @Test func aSentenceSaysWhatNobodyHasSpent() {
    func text(_ scope: BudgetScope, withheld: Int128, estimate: Int128 = 0) -> String {
      var text = DenialText(maximumBytes: 8_192)
      var denial = BudgetDenial(
        candidate: 0, scope: scope, slot: 0,
        spend: PicoUSD(pico: estimate == 0 ? 5_000_000_000_000 : 4_500_000_000_000),
        limit: PicoUSD(dollars: 5))
      denial.withheld = PicoUSD(pico: withheld)
      let candidate = ConfiguredDeployment(
        id: "d", modelName: "m", model: "x/y", provider: "x")
      text.add(denial, name: "n", candidate: candidate, estimate: PicoUSD(pico: estimate))
      return String(text.text.dropFirst(DenialText.prefix.count))
    }
    let hint = " ($3.3 withheld: the store is away, outage policy share)\n"
    #expect(text(.provider, withheld: 0) == "Exceeded budget for provider n: 5.0 >= 5.0\n")
    #expect(
      text(.provider, withheld: 3_300_000_000_000)
        == "Exceeded budget for provider n: 5.0 >= 5.0\(hint)")
    #expect(
      text(.tag, withheld: 3_300_000_000_000, estimate: 1_000_000_000_000)
        == "Would exceed budget for tag='n', tag_spend=4.5, estimated_cost=1.0, "
        + "tag_budget_limit=5.0\(hint)")
    #expect(text(.deployment, withheld: 3_300_000_000_000).hasSuffix("5.0 >= 5.0\(hint)"))
  }
}
