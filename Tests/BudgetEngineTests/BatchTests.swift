import BudgetModel
import Testing

@testable import BudgetEngine

/// The charges of a batch of records, and all that may come between its parts: reloads, gates,
/// bounds.
@Suite struct BatchTests {
  private func pico(_ amount: Int128) -> PicoUSD { PicoUSD(pico: amount) }

  @Test func aBatchChargesEachBudgetWhatItsRecordsCost() throws {
    var fixture = EngineFixture([
      try budget(.tag, "a", 100, "1d"), try budget(.tag, "b", 100, "1d"),
      try budget(.tag, "c", 100, "1d"),
    ])
    var sums = ChargeSums()
    // A batch before, so that positions of it are left over.
    for names in [["c", "b", "a"], ["a", "b"]] {
      sums.begin()
      for (index, name) in names.enumerated() {
        let charged = fixture.charged(tags: [name])
        for amount in [Int128(1), 2, Int128(10 * (index + 1))] {
          fixture.engine.addPending(pico(amount), to: charged)
          sums.add(pico(amount), to: charged.slots.span)
        }
      }
      fixture.engine.commit(sums, at: at(1))
    }
    let spent = ["a", "b", "c"].map { fixture.report(.tag, $0, at: at(1))?.spend.pico }
    #expect(spent == [33 + 13, 23 + 23, 13])
    // Nothing of it is pending any more.
    #expect(!fixture.filter([("x", "")], tags: ["a"], estimate: 54, at: at(1)).isExhausted)
    #expect(fixture.filter([("x", "")], tags: ["a"], estimate: 55, at: at(1)).isExhausted)
  }

  @Test func aBatchUnderAReloadChargesTheWindowInForce() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    fixture.engine.addPending(pico(5), to: charged)
    var labels: [BudgetWindowState] = []
    _ = fixture.reload([try budget(.provider, "p", 100, "7d")], at: at(10))
    fixture.engine.label(charged.slots, at: at(11), into: &labels)
    var sums = ChargeSums()
    sums.begin()
    sums.add(pico(5), to: charged.slots.span)
    fixture.engine.commit(sums, at: at(11))
    let report = fixture.report(.provider, "p", at: at(11))
    #expect(report?.spend.pico == 5)
    // The disk has it where memory has it.
    #expect(labels.map(\.key.windowText) == ["7d"])
    #expect(labels.map(\.start) == [at(10)])
    #expect(labels.map(\.end) == [report?.resetsAt])
  }

  @Test func aRepeatedTagIsChargedAndAskedOnce() throws {
    var fixture = EngineFixture([try budget(.tag, "a", 100, "1d")])
    fixture.record(40, tags: ["a", "a", "a"], at: at(1))
    #expect(fixture.report(.tag, "a", at: at(1))?.spend.pico == 40)
    fixture.record(60, tags: ["a"], at: at(1))
    let decision = fixture.filter([("x", "")], tags: ["a", "a", "a"], at: at(1))
    #expect(decision.denials.count == 1)
  }

  /// A request keeps the configuration that it began under, and is judged by that one's limits.
  @Test func aRequestUnderAnotherConfigurationIsJudgedByItsOwnLimit() throws {
    var fixture = EngineFixture([try budget(.tag, "a", 5, "1d")])
    fixture.record(6, tags: ["a"], at: at(1))
    let strict = fixture.engine.catalog
    #expect(fixture.filter([("x", "")], tags: ["a"], at: at(1)).isExhausted)
    _ = fixture.reload([try budget(.tag, "a", 100, "1d")], at: at(2))
    #expect(!fixture.filter([("x", "")], tags: ["a"], at: at(2)).isExhausted)
    var question = FilterQuestion()
    question.begin()
    question.add(
      NameBytes.with("x") {
        strict.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
      })
    question.addTag(slot: try #require(NameBytes.with("a") { strict.tagSlot($0) }))
    var decision = FilterDecision()
    fixture.engine.filter(question, in: strict, at: at(2), into: &decision)
    #expect(decision.isExhausted, "the open gate is the new configuration's")
  }

  @Test func tagDenialsPastTheBoundAreCountedToo() throws {
    var fixture = EngineFixture([
      try budget(.provider, "p", 0, "1d"), try budget(.tag, "a", 0, "1d"),
      try budget(.tag, "b", 0, "1d"),
    ])
    let candidates = [("p", ""), ("x", ""), ("y", ""), ("z", "")]
    for bound in 0...8 {
      let decision = fixture.filter(
        candidates, tags: ["a", "b"], maximumDenials: bound, at: at(1))
      #expect(decision.denials.count == min(bound, 7))
      #expect(Int(decision.denialsOmitted) == 7 - min(bound, 7))
      #expect(decision.isExhausted)
    }
  }

  /// While the store is away a node gives out its part of the next window, and no more, from its
  /// first instant on: the window that was open may have had room.
  @Test func theNextWindowsPartHoldsFromItsFirstInstant() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 12, "60s")])
    let limited = try #require(NameBytes.with("p") { fixture.engine.catalog.budget(.provider, $0) })
    fixture.engine.withhold(of: limited, nodes: 1, nextNodes: 13, at: at(1))
    #expect(!fixture.filter([("p", "")], at: at(60)).isExhausted, "all of this one is its own")
    #expect(fixture.filter([("p", "")], at: at(60.001)).isExhausted, "a thirteenth of 12 is none")
  }

  /// A window of another length is in force: the fleet's of before is not taken up again.
  @Test func aRetiredSlotAdoptsNothing() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 10, "60s")])
    let slot = try #require(fixture.charged(provider: "p").slots.first)
    _ = fixture.reload([try budget(.provider, "p", 10, "1h")], at: at(2))
    fixture.engine.shards.update(slot) {
      $0.adopt(
        BudgetWindowState(
          key: BudgetKey(scope: .provider, name: "p", windowText: "60s"), start: at(-20),
          end: at(40), spend: pico(4)), replacing: [at(0)], at: at(3))
    }
    let state = fixture.engine.shards.state(of: slot)
    #expect(state.spend(at: at(3)) == .zero)
    #expect(!state.isOpen(at: at(3)))
  }
}
