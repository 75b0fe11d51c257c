import BudgetModel
import Testing

@testable import BudgetEngine

/// Which budgets entries and patterns name, and when windows began.
@Suite struct PlacesTests {
  private func key(_ name: String, _ window: String, _ scope: BudgetScope = .tag) -> BudgetKey {
    BudgetKey(scope: scope, name: name, windowText: window)
  }

  @Test func aKeyIsAnEntrysOrAPatternsOrNobodys() throws {
    let house = DynamicHouse(
      [
        try DynamicHouse.pattern(.tag, "user:*", 5, "day"),
        try DynamicHouse.pattern(.tag, "user:a*", 5, "hour"),
      ],
      [
        try DynamicHouse.entry(.tag, "user:ann", 9, "day"),
        try DynamicHouse.entry(.total, "total", 9, "1d"),
      ])
    let catalog = house.engine.catalog
    #expect(catalog.hasEntry(key("user:ann", "day")) && !catalog.hasEntry(key("user:ann", "hour")))
    #expect(catalog.hasEntry(key("user:*", "day")), "names that found no place")
    #expect(catalog.hasEntry(key("total", "1d", .total)))
    #expect(!catalog.hasEntry(key("totals", "1d", .total)))
    #expect(!catalog.hasEntry(key("user:ann", "day", .model)))
    #expect(catalog.pattern(giving: key("user:bob", "day"))?.key.name == "user:*")
    #expect(catalog.pattern(giving: key("user:abe", "hour"))?.key.name == "user:a*")
    #expect(catalog.pattern(giving: key("user:ann", "day")) == nil, "an entry has that window")
    #expect(catalog.pattern(giving: key("user:ann", "hour"))?.key.name == "user:a*")
    #expect(catalog.pattern(giving: key("user:bob", "never seen")) == nil)
    #expect(catalog.pattern(giving: key("team:x", "day")) == nil)
    func given(_ name: String) -> [String] {
      NameBytes.with(name) { catalog.patterns(giving: .tag, $0).map(\.key.windowText) }
    }
    #expect(given("user:abe") == ["hour", "day"] && given("user:ann") == ["hour"])
    #expect(given("user:bob") == ["day"] && given("x") == [] && given("") == [])
  }

  @Test func aReportTellsWhenItsWindowBegan() throws {
    let house = DynamicHouse(
      [],
      [
        try DynamicHouse.entry(.tag, "a", 9, "day"), try DynamicHouse.entry(.tag, "a", 9, "1h"),
      ])
    let day: Int64 = 86_400_000
    func started(_ now: Int64) -> [Int64?] {
      house.engine.catalog.budgets(.tag).map {
        house.engine.report(on: $0, at: DynamicHouse.time(now)).startedAt?.unixMilliseconds
      }
    }
    #expect(started(5 * day + 7) == [5 * day, nil], "a calendar's stands, another opens")
    house.record(1, tags: ["a"], at: 5 * day + 9)
    #expect(started(5 * day + 10) == [5 * day, 5 * day + 9])
    #expect(started(6 * day + 1) == [6 * day, nil])
  }
}
