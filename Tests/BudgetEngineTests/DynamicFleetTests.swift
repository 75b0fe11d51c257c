import BudgetModel
import Dispatch
import Testing

@testable import BudgetEngine

/// Budgets that names get from patterns, as a fleet has them.
@Suite struct DynamicFleetTests {
  private static let day: Int64 = 86_400_000

  private func house(_ limit: Int128? = 10) throws -> DynamicHouse {
    DynamicHouse([try DynamicHouse.pattern(.tag, "user:*", limit, "day")])
  }

  private func key(_ name: String) -> BudgetKey {
    BudgetKey(scope: .tag, name: name, windowText: "day")
  }

  private func show(_ pico: Int128, _ name: String, _ house: DynamicHouse, from start: Int64 = 0) {
    house.engine.show(
      others: PicoUSD(pico: pico), ofDynamic: key(name), inWindowFrom: DynamicHouse.time(start))
  }

  @Test func othersSpendCountsForTheLimit() throws {
    let house = try house()
    house.record(1, tags: ["user:a"], at: 1)
    show(9, "user:a", house)
    #expect(!house.denials(["user:a"], at: 2).isEmpty)
    #expect(house.denials(["user:b"], at: 2).isEmpty)
    show(8, "user:a", house)
    #expect(house.denials(["user:a"], at: 2).isEmpty)
    // Nothing is made for a name that was never charged here.
    show(50, "user:c", house)
    #expect(house.denials(["user:c"], at: 2).isEmpty && house.engine.dynamicBudgetCount == 1)
    // Another window's.
    show(50, "user:a", house, from: Self.day)
    #expect(house.denials(["user:a"], at: 2).isEmpty)
  }

  /// The slot of a budget that was given back has another owner: what is told of the first reaches
  /// neither, and what is told of the second it alone.
  @Test func whatIsToldOfABudgetThatIsGoneReachesNobody() throws {
    let house = try house()
    house.record(1, tags: ["user:a"], at: 1)
    let slot = house.charged(.init(tags: ["user:a"]), in: house.engine.catalog, at: 2).slots
    #expect(house.sweepAll(at: Self.day) == 1)
    house.record(1, tags: ["user:b"], at: Self.day)
    let next = house.charged(.init(tags: ["user:b"]), in: house.engine.catalog, at: Self.day).slots
    #expect(Array(slot) == Array(next), "the slot was handed out again")
    show(9, "user:a", house, from: Self.day)
    #expect(house.denials(["user:b"], at: Self.day + 1).isEmpty)
    show(9, "user:b", house, from: Self.day)
    #expect(!house.denials(["user:b"], at: Self.day + 1).isEmpty)
  }

  @Test func anOutagePolicySharesEveryNamesLimit() throws {
    let house = try house()
    house.record(2, tags: ["user:a"], at: 1)
    house.engine.withholdOfDynamicBudgets(nodes: 2, at: DynamicHouse.time(2))
    // Half of the eight that are left, and half of ten for a name that comes meanwhile.
    house.record(3, tags: ["user:a"], at: 3)
    #expect(house.denials(["user:a"], at: 4).isEmpty)
    house.record(1, tags: ["user:a"], at: 5)
    #expect(!house.denials(["user:a"], at: 6).isEmpty)
    house.record(4, tags: ["user:b"], at: 5)
    #expect(house.denials(["user:b"], at: 6).isEmpty)
    house.record(1, tags: ["user:b"], at: 6)
    #expect(!house.denials(["user:b"], at: 7).isEmpty)
    house.engine.endWithholding()
    #expect(house.denials(["user:a"], at: 8).isEmpty && house.denials(["user:b"], at: 8).isEmpty)
    house.record(5, tags: ["user:c"], at: 9)
    #expect(house.denials(["user:c"], at: 10).isEmpty)
  }

  /// Budgets that are made while an outage begins or ends are shared, or not, as all others.
  @Test func whatIsMadeMeanwhileIsSharedToo() throws {
    for round in 0..<300 {
      let house = try house()
      let names = (0..<40).map { "user:\($0)" }
      func meanwhile(_ change: @Sendable @escaping () -> Void, _ names: ArraySlice<String>) {
        let names = Array(names)
        DispatchQueue.concurrentPerform(iterations: 2) { part in
          if part == 0 { return change() }
          for name in names { house.record(4, tags: [name], at: 1) }
        }
      }
      let engine = house.engine
      let now = DynamicHouse.time(1)
      meanwhile({ engine.withholdOfDynamicBudgets(nodes: 2, at: now) }, names[..<20])
      for name in names[..<20] {
        #expect(withheld(name, house) > 0, "round \(round)")
      }
      meanwhile({ engine.endWithholding() }, names[20...])
      for name in names { #expect(withheld(name, house) == 0, "round \(round)") }
    }
  }

  private func withheld(_ name: String, _ house: DynamicHouse) -> Int128 {
    let slots = house.charged(.init(tags: [name]), in: house.engine.catalog, at: 3).slots
    return house.engine.shards.state(of: slots[0]).withheld(at: DynamicHouse.time(3)).pico
  }

  @Test func withoutALimitNothingIsShared() throws {
    let house = try house(nil)
    house.record(2, tags: ["user:a"], at: 1)
    house.engine.withholdOfDynamicBudgets(nodes: 3, at: DynamicHouse.time(2))
    house.record(2, tags: ["user:a", "user:b"], at: 3)
    #expect(house.denials(["user:a"], at: 4).isEmpty)
  }

  @Test func aReloadTellsOfAPatternsOtherLimitAndMode() throws {
    let house = try house()
    let pattern = try DynamicHouse.pattern(.tag, "user:*", 20, "day")
    let other = house.reload([pattern], at: 1)
    #expect(other.relimited == [pattern.key] && other.remoded.isEmpty)
    let shadow = try DynamicHouse.pattern(.tag, "user:*", 20, "day", .shadow)
    let watched = house.reload([shadow], at: 2)
    #expect(watched.relimited.isEmpty && watched.remoded == [pattern.key])
    #expect(house.reload([], at: 3).relimited.isEmpty)
  }
}
