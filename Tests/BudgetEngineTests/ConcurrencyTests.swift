import BudgetEngine
import BudgetModel
import Dispatch
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
        charged.addTag(slot: slot)
        engine.hold(PicoUSD(pico: 1), for: charged)
        engine.commit(PicoUSD(pico: 1), of: charged, at: at(1))
      }
    }
    for name in names {
      #expect(
        fixture.report(.tag, name, at: at(1))?.spend.pico == Int128(4 * perThread / names.count))
    }
  }
}
