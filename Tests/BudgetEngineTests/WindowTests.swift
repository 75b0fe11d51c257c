import BudgetEngine
import BudgetModel
import Testing

@Suite struct WindowTests {
  @Test func aProviderWindowOpensAtTheStartAndIsClosedAtItsEnd() throws {
    let fixture = EngineFixture([try budget(.provider, "openai", 100, "60s")])
    #expect(fixture.report(.provider, "openai", at: at(0))?.resetsAt == at(60))
    fixture.record(40, provider: "openai", at: at(10))
    // The last instant still belongs to the window.
    fixture.record(2, provider: "openai", at: at(60))
    #expect(fixture.report(.provider, "openai", at: at(60))?.spend.pico == 42)
    let after = fixture.report(.provider, "openai", at: at(60.001))
    #expect(after?.spend == .zero)
    #expect(after?.resetsAt == nil)
  }

  @Test func theNextWindowStartsAtItsFirstCharge() throws {
    let fixture = EngineFixture([try budget(.provider, "openai", 100, "60s")])
    fixture.record(1, provider: "openai", at: at(100))
    #expect(fixture.report(.provider, "openai", at: at(100))?.resetsAt == at(160))
    // A charge of zero opens a window too.
    fixture.record(0, provider: "openai", at: at(161))
    let report = fixture.report(.provider, "openai", at: at(200))
    #expect(report?.resetsAt == at(221))
    #expect(report?.spend == .zero)
  }

  @Test func deploymentAndTagWindowsStartAtTheFirstCharge() throws {
    let fixture = EngineFixture([
      try budget(.deployment, "d", 100, "1m"), try budget(.tag, "t", 100, "1h"),
    ])
    #expect(fixture.report(.deployment, "d", at: at(5))?.resetsAt == nil)
    fixture.record(3, deployment: "d", tags: ["t"], at: at(7))
    #expect(fixture.report(.deployment, "d", at: at(8))?.resetsAt == at(67))
    #expect(fixture.report(.tag, "t", at: at(8))?.resetsAt == at(3_607))
  }

  @Test func filteringReadsTheWindowThatIsOpen() throws {
    var fixture = EngineFixture([try budget(.provider, "openai", 10, "60s")])
    fixture.record(10, provider: "openai", at: at(30))
    #expect(fixture.filter([("openai", "")], at: at(60)).isExhausted)
    #expect(!fixture.filter([("openai", "")], at: at(60.001)).isExhausted)
  }

  @Test func pendingSpendCountsForFilteringOnlyUntilItIsCommitted() throws {
    var fixture = EngineFixture([try budget(.provider, "openai", 10, "60s")])
    let charged = fixture.charged(provider: "openai")
    fixture.engine.addPending(PicoUSD(pico: 10), to: charged)
    #expect(fixture.filter([("openai", "")], at: at(1)).isExhausted)
    #expect(fixture.report(.provider, "openai", at: at(1))?.spend == .zero)
    fixture.engine.abandon(PicoUSD(pico: 10), of: charged)
    #expect(!fixture.filter([("openai", "")], at: at(1)).isExhausted)

    // Held in one window, committed in the next: it counts in both, as pending, then as spend.
    fixture.engine.addPending(PicoUSD(pico: 10), to: charged)
    #expect(fixture.filter([("openai", "")], at: at(61)).isExhausted)
    fixture.engine.commit(PicoUSD(pico: 10), of: charged, at: at(61))
    let report = fixture.report(.provider, "openai", at: at(61))
    #expect(report?.spend.pico == 10)
    #expect(report?.resetsAt == at(121))
    #expect(fixture.filter([("openai", "")], at: at(121)).isExhausted)
    #expect(!fixture.filter([("openai", "")], at: at(121.001)).isExhausted)
  }
}
