import BudgetEngine
import BudgetModel
import Dispatch
import Locks
import Testing

@Suite struct ConcurrencyTests {
  @Test func nothingIsLostBetweenThreadsAndReloads() throws {
    let names = (0..<8).map { "t\($0)" }
    let fixture = EngineFixture(try names.map { try budget(.tag, $0, 1, "1000w") })
    let engine = fixture.engine
    let perThread = 20_000
    DispatchQueue.concurrentPerform(iterations: 5) { thread in
      if thread == 4 {
        for round in 0..<200 {
          let kept = names.shuffled()
          let budgets = kept.map { name in
            BudgetDefinition(
              key: BudgetKey(scope: .tag, name: name, windowText: "1000w"),
              windowLength: .seconds(604_800_000), limit: PicoUSD(pico: Int128(round)))
          }
          _ = engine.reload(EngineFixture.configuration(budgets), at: at(1))
        }
        return
      }
      var reader = CatalogReader(engine: engine)
      var charged = ChargedSlots()
      for step in 0..<perThread {
        let catalog = reader.current()
        charged.begin()
        let name = names[(step + thread) % names.count]
        guard let slot = NameBytes.with(name, { catalog.tagSlot($0) }) else { continue }
        charged.addTag(slot: slot, in: catalog)
        engine.addPending(PicoUSD(pico: 1), to: charged)
        engine.commit(PicoUSD(pico: 1), of: charged, at: at(1))
      }
    }
    for name in names {
      #expect(
        fixture.report(.tag, name, at: at(1))?.spend.pico == Int128(4 * perThread / names.count))
    }
  }

  @Test func nothingIsLostWhileWindowsChangeTheirLength() throws {
    let texts = ["1000w", "2000w", "3000w"]
    let fixture = EngineFixture([try budget(.provider, "p", nil, "1000w")])
    let engine = fixture.engine
    let closed = Locked(PicoUSD.zero)
    let definitions = try texts.map { try budget(.provider, "p", nil, $0) }
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      if thread == 3 {
        for round in 1...300 {
          let report = engine.reload(
            EngineFixture.configuration([definitions[round % 3]]), at: at(1))
          closed.withLock { for change in report.closed { $0 += change.spend ?? .zero } }
        }
        return
      }
      var reader = CatalogReader(engine: engine)
      var charged = ChargedSlots()
      for _ in 0..<20_000 {
        let catalog = reader.current()
        charged.begin()
        charged.add(
          NameBytes.with("p") {
            catalog.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
          }, in: catalog)
        engine.record(PicoUSD(pico: 1), to: charged, at: at(1))
      }
    }
    // The windows that reloads closed and the one in force hold all that was recorded.
    let inForce = try #require(fixture.report(.provider, "p", at: at(1))).spend
    #expect((closed.withLock { $0 } + inForce).pico == 60_000)
  }
}
