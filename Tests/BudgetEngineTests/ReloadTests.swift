import BudgetEngine
import BudgetModel
import Testing

@Suite struct ReloadTests {
  @Test func spendStaysWhereLimitsChangeAndOrderDoes() throws {
    var fixture = EngineFixture([
      try budget(.provider, "a", 100, "1d"), try budget(.provider, "b", 100, "1d"),
    ])
    fixture.record(60, provider: "a", at: at(1))
    fixture.record(7, provider: "b", at: at(1))
    let report = fixture.reload(
      [try budget(.provider, "b", 100, "1d"), try budget(.provider, "a", 50, "1d")], at: at(2))
    #expect(report.relimited.map(\.name) == ["a"])
    #expect(report.added.isEmpty && report.removed.isEmpty && report.closed.isEmpty)
    #expect(fixture.report(.provider, "a", at: at(2))?.spend.pico == 60)
    #expect(fixture.report(.provider, "b", at: at(2))?.spend.pico == 7)
    #expect(fixture.filter([("a", "")], at: at(2)).isExhausted)
  }

  @Test func aRecordResolvedBeforeAReloadStillChargesItsBudget() throws {
    let fixture = EngineFixture([
      try budget(.tag, "a", 100, "1d"), try budget(.tag, "b", 100, "1d"),
    ])
    let queued = fixture.charged(tags: ["b"])
    _ = fixture.reload(
      [try budget(.tag, "z", 1, "1d"), try budget(.tag, "b", 9, "1d")], at: at(1))
    fixture.engine.record(PicoUSD(pico: 5), to: queued, at: at(2))
    #expect(fixture.report(.tag, "b", at: at(2))?.spend.pico == 5)
    #expect(fixture.report(.tag, "z", at: at(2))?.spend == .zero)
  }

  @Test func aBudgetThatIsDroppedAndComesBackKeepsItsWindow() throws {
    let fixture = EngineFixture([try budget(.tag, "a", 100, "1d")])
    fixture.record(5, tags: ["a"], at: at(1))
    #expect(fixture.reload([], at: at(2)).removed.map(\.name) == ["a"])
    #expect(fixture.report(.tag, "a", at: at(2)) == nil)
    #expect(fixture.reload([try budget(.tag, "a", 7, "1d")], at: at(3)).added.map(\.name) == ["a"])
    #expect(fixture.report(.tag, "a", at: at(3))?.spend.pico == 5)
    #expect(fixture.report(.tag, "a", at: at(3))?.resetsAt == at(86_401))
  }

  @Test func anotherTextOfTheSameLengthCarriesTheWindowOn() throws {
    let fixture = EngineFixture([try budget(.tag, "a", 100, "1d")])
    fixture.record(5, tags: ["a"], at: at(1))
    let queued = fixture.charged(tags: ["a"])
    let report = fixture.reload([try budget(.tag, "a", 100, "24h")], at: at(2))
    #expect(report.renamed.map(\.from.windowText) == ["1d"])
    #expect(report.renamed.map(\.spend?.pico) == [5])
    #expect(report.removed.isEmpty && report.added.isEmpty)
    fixture.engine.record(PicoUSD(pico: 6), to: queued, at: at(3))
    #expect(fixture.report(.tag, "a", at: at(3))?.spend.pico == 11)
    #expect(fixture.report(.tag, "a", at: at(3))?.resetsAt == at(86_401))
    // And back again: no second budget is handed out either way.
    _ = fixture.reload([try budget(.tag, "a", 100, "1d")], at: at(4))
    #expect(fixture.report(.tag, "a", at: at(4))?.spend.pico == 11)
  }

  @Test func anotherLengthClosesTheWindowAndSaysWhatWasInIt() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    fixture.record(5, provider: "p", at: at(1))
    let report = fixture.reload([try budget(.provider, "p", 100, "7d")], at: at(10))
    #expect(report.closed.map(\.spend?.pico) == [5])
    #expect(report.closed.map(\.resetsAt) == [at(86_400)])
    #expect(report.removed.isEmpty)
    let open = fixture.report(.provider, "p", at: at(10))
    #expect(open?.spend == .zero)
    #expect(open?.resetsAt == at(10 + 7 * 86_400))
    // Back to the first length: the closed window stays closed.
    _ = fixture.reload([try budget(.provider, "p", 100, "1d")], at: at(20))
    #expect(fixture.report(.provider, "p", at: at(20))?.spend == .zero)
    #expect(fixture.report(.provider, "p", at: at(20))?.resetsAt == at(20 + 86_400))
  }

  @Test func aReloadOpensAProvidersWindowWhereNoneIsOpen() throws {
    let definitions = [try budget(.provider, "p", 100, "60s"), try budget(.tag, "t", 1, "60s")]
    let fixture = EngineFixture(definitions)
    #expect(fixture.report(.provider, "p", at: at(61))?.resetsAt == nil)
    _ = fixture.reload(definitions, at: at(100))
    #expect(fixture.report(.provider, "p", at: at(100))?.resetsAt == at(160))
    #expect(fixture.report(.tag, "t", at: at(100))?.resetsAt == nil)
  }

  @Test func theReaderSeesEachReload() throws {
    let fixture = EngineFixture([try budget(.tag, "a", 1, "1d")])
    var reader = CatalogReader(engine: fixture.engine)
    #expect(reader.current().generation == 1)
    #expect(fixture.engine.catalogGeneration == 1, "nothing to read anew")
    _ = fixture.reload([try budget(.tag, "b", 1, "1d")], at: at(1))
    #expect(reader.current().generation == 2)
    #expect(reader.current().budgets.map(\.definition.key.name) == ["b"])
  }

  @Test func aReaderFromBeforeTheFirstConfigurationSeesIt() throws {
    let engine = BudgetEngine(restoring: [])
    var reader = CatalogReader(engine: engine)
    #expect(reader.current().budgets.isEmpty)
    _ = engine.reload(
      EngineFixture.configuration([try budget(.tag, "a", 1, "1d")]), at: at(1))
    #expect(reader.current().budgets.map(\.definition.key.name) == ["a"])
  }

  @Test func namesThatOnlyLookAlikeAreTwoBudgets() throws {
    // One scalar, and a letter with a combining accent: equal texts in Swift, two names on the wire.
    let names = ["mod\u{E8}le", "mode\u{300}le"]
    #expect(names[0] == names[1])
    let definitions = try names.map { try budget(.tag, $0, 100, "1d") }
    let fixture = EngineFixture(definitions)
    fixture.record(5, tags: [names[0]], at: at(1))
    _ = fixture.reload(definitions.reversed(), at: at(2))
    #expect(names.map { fixture.report(.tag, $0, at: at(3))?.spend.pico } == [5, 0])
  }

  @Test func aRecordResolvedBeforeItsWindowWasReplacedChargesTheOneInForce() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let queued = fixture.charged(provider: "p")
    // As the lane does whose requests these are.
    let catalog = fixture.engine.catalog
    defer { withExtendedLifetime(catalog) {} }
    fixture.engine.addPending(PicoUSD(pico: 3), to: queued)
    fixture.record(5, provider: "p", at: at(1))
    let first = fixture.reload([try budget(.provider, "p", 100, "7d")], at: at(2))
    #expect(first.closed.map(\.spend?.pico) == [5])
    fixture.engine.commit(PicoUSD(pico: 3), of: queued, at: at(3))
    fixture.engine.record(PicoUSD(pico: 2), to: queued, at: at(3))
    #expect(fixture.report(.provider, "p", at: at(3))?.spend.pico == 5)
    // Twice replaced: the charge still finds the window in force.
    _ = fixture.reload([try budget(.provider, "p", 100, "30d")], at: at(4))
    fixture.engine.record(PicoUSD(pico: 7), to: queued, at: at(5))
    #expect(fixture.report(.provider, "p", at: at(5))?.spend.pico == 7)
    // Back to the first length: its slot is in force again and takes its own charges.
    _ = fixture.reload([try budget(.provider, "p", 100, "1d")], at: at(6))
    fixture.engine.record(PicoUSD(pico: 1), to: queued, at: at(7))
    #expect(fixture.report(.provider, "p", at: at(7))?.spend.pico == 1)
  }
}
