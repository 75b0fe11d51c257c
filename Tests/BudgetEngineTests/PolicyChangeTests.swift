import BudgetModel
import CAllocationCount
import SeededRandom
import Testing

@testable import BudgetEngine

/// Policies changed while the engine runs: over the configuration, without a reload.
@Suite struct PolicyChangeTests {
  private static let author = ChangeAuthor(name: "ops", place: "here")

  static func change(
    _ scope: BudgetScope, _ name: String, _ window: String, _ setting: BudgetChange.Setting
  ) -> BudgetChange {
    let matter: BudgetChange.Matter = window.isEmpty ? .mode : .limit
    return BudgetChange(
      .init(matter, BudgetKey(scope: scope, name: name, windowText: window)), setting,
      by: author, at: at(0), version: ChangeVersion(milliseconds: 1, node: "n"))
  }

  static func change(
    _ scope: BudgetScope, _ name: String, mode: BudgetMode, reason: String = ""
  ) -> BudgetChange {
    var change = change(scope, name, "", .mode(mode))
    change.reason = reason
    return change
  }

  private static func limit(_ pico: Int128) -> BudgetChange.Setting { .limit(PicoUSD(pico: pico)) }

  @Test func aRaisedLimitHoldsUntilItEnds() throws {
    var fixture = EngineFixture([try budget(.provider, "openai", 10, "1d")])
    fixture.record(10, provider: "openai", at: at(1))
    #expect(fixture.filter([("openai", "")], at: at(1)).denials.count == 1)
    let raise = Self.change(.provider, "openai", "1d", Self.limit(15))
    PolicyChanging(of: fixture.engine).enforce(raise, at: at(2))
    #expect(fixture.filter([("openai", "")], at: at(2)).allowed == [0])
    let report = try #require(fixture.report(.provider, "openai", at: at(2)))
    #expect(report.limit?.pico == 15 && report.configured?.limit?.pico == 10)
    #expect(report.changed?.limitChange == raise && report.remaining?.pico == 5)
    fixture.record(5, provider: "openai", at: at(2))
    #expect(fixture.filter([("openai", "")], at: at(2)).denials[0].limit.pico == 15)
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.provider, "openai", "1d", .limit(nil)), at: at(3))
    #expect(fixture.filter([("openai", "")], estimate: 99, at: at(3)).allowed == [0])
    PolicyChanging(of: fixture.engine).end(raise.register, at: at(4))
    #expect(fixture.filter([("openai", "")], at: at(4)).denials[0].limit.pico == 10)
    #expect(fixture.report(.provider, "openai", at: at(4))?.changed == nil)
  }

  @Test func aLimitGivenToABudgetWithoutOneDenies() throws {
    var fixture = EngineFixture([try budget(.tag, "t", nil, "1d")])
    fixture.record(3, tags: ["t"], at: at(1))
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.tag, "t", "1d", Self.limit(4)), at: at(1))
    #expect(fixture.filter([("", "")], tags: ["t"], at: at(1)).allowed == [0])
    #expect(fixture.filter([("", "")], tags: ["t"], estimate: 2, at: at(1)).denials.count == 1)
    fixture.record(1, tags: ["t"], at: at(1))
    #expect(fixture.filter([("", "")], tags: ["t"], at: at(1)).denials.count == 1)
  }

  /// A request that took its catalog before the change may be answered by either; one that takes it
  /// afterwards goes by the new one.
  @Test func aFrozenNameDeniesAtOnce() throws {
    let day = try budget(.provider, "openai", 10, "1d")
    var fixture = EngineFixture([day, try budget(.provider, "azure", 10, "1d")])
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.provider, "openai", mode: .freeze), at: at(1))
    let decision = fixture.filter([("openai", ""), ("azure", "")], at: at(1))
    #expect(decision.allowed == [1] && decision.denials[0].mode == .freeze)
    #expect(fixture.report(.provider, "openai", at: at(1))?.isExhausted == true)
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.provider, "openai", mode: .shadow), at: at(2))
    fixture.record(11, provider: "openai", at: at(2))
    #expect(fixture.filter([("openai", "")], at: at(2)).allowed == [0])
    #expect(fixture.report(.provider, "openai", at: at(2))?.shadowed == 1)
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.provider, "openai", mode: .enforce), at: at(3))
    #expect(fixture.filter([("openai", "")], at: at(3)).denials.count == 1)
  }

  @Test func aNameWithoutABudgetIsFrozenAndNeverCharged() throws {
    let listed = ConfiguredDeployment(
      id: "d1", modelName: "gpt", model: "groq/x", provider: "groq", isFree: true)
    var fixture = EngineFixture(
      [try budget(.provider, "openai", 10, "1d")], deployments: [listed])
    for (scope, name) in [(BudgetScope.provider, "groq"), (.deployment, "d1"), (.tag, "t")] {
      let freeze = Self.change(scope, name, mode: .freeze)
      PolicyChanging(of: fixture.engine).enforce(freeze, at: at(1))
      let decision = fixture.filter([("", "d1"), ("openai", "")], tags: ["t"], at: at(1))
      #expect(decision.allowed == (scope == .tag ? [] : [1]), "\(scope)")
      #expect(decision.denials.first?.scope == scope)
      #expect(decision.denials.first.map { fixture.engine.catalog.name(of: $0) } == name)
      fixture.record(5, provider: "groq", deployment: "d1", tags: ["t"], at: at(1))
      let charged = fixture.charged(provider: "groq", deployment: "d1", tags: ["t"])
      #expect(charged.slots.isEmpty)
      // Nothing may be reserved there either, also by who names no candidates.
      var attempt = ReservationAttempt()
      let ask = ReservationAsk(ReservedAmount(PicoUSD(pico: 1)))
      #expect(fixture.reserve(ask, charged, &attempt, at: at(1)) == .denied)
      #expect(attempt.denials.map(\.scope) == [scope] && attempt.denials[0].mode == .freeze)
      var copy = ChargedSlots()
      copy.copy(charged)
      #expect(fixture.reserve(ask, copy, &attempt, at: at(1)) == .denied)
      PolicyChanging(of: fixture.engine).end(freeze.register, at: at(1))
      #expect(fixture.filter([("", "d1")], tags: ["t"], at: at(1)).allowed == [0])
    }
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.total, BudgetKey.totalName, mode: .freeze), at: at(2))
    #expect(fixture.filter([("openai", ""), ("", "d1")], at: at(2)).allowed.isEmpty)
    #expect(fixture.reserve(1, fixture.charged(provider: "openai"), at: at(2)) == .denied)
    #expect(fixture.engine.openReservations == 0)
    // A configuration that gives the name a budget takes the freeze over.
    _ = fixture.reload([try budget(.total, BudgetKey.totalName, 5, "1d")], at: at(3))
    #expect(fixture.filter([("openai", "")], at: at(3)).denials.first?.limit.pico == 5)
    fixture.record(1, provider: "openai", at: at(3))
    #expect(fixture.report(.total, BudgetKey.totalName, at: at(3))?.spend.pico == 1)
  }

  @Test func aModelWithoutABudgetIsFrozen() throws {
    let house = DynamicHouse([], [try DynamicHouse.entry(.provider, "openai", 10, "1d")])
    let asked = DynamicHouse.Names(provider: "openai", modelName: "gpt-4o")
    PolicyChanging(of: house.engine).enforce(
      Self.change(.model, "gpt-4o", mode: .freeze), at: at(0))
    #expect(house.decision(asked, at: 1).denials.first?.scope == .model)
    let other = DynamicHouse.Names(provider: "openai", modelName: "gpt-5")
    #expect(house.decision(other, at: 1).allowed == [0])
    PolicyChanging(of: house.engine).end(
      Self.change(.model, "gpt-4o", mode: .freeze).register, at: at(0))
    #expect(house.decision(asked, at: 1).allowed == [0])
  }

  @Test func changesOutliveReloads() throws {
    let budgets = [
      try budget(.provider, "openai", 10, "1d"), try budget(.provider, "azure", 10, "1d"),
    ]
    var fixture = EngineFixture(budgets)
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.provider, "openai", "1d", Self.limit(0)), at: at(1))
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.provider, "azure", mode: .freeze), at: at(1))
    let report = fixture.reload(budgets, at: at(2))
    #expect(report.relimited.isEmpty && report.remoded.isEmpty)
    #expect(fixture.filter([("openai", ""), ("azure", "")], at: at(2)).allowed.isEmpty)
    // Its budget goes, and comes back.
    _ = fixture.reload([budgets[1]], at: at(3))
    #expect(fixture.filter([("openai", ""), ("azure", "")], at: at(3)).allowed == [0])
    _ = fixture.reload(
      [try budget(.provider, "openai", 99, "1d"), budgets[1]], at: at(4))
    #expect(fixture.filter([("openai", "")], at: at(4)).denials[0].limit.pico == 0)
    #expect(fixture.report(.provider, "openai", at: at(4))?.configured?.limit?.pico == 99)
  }

  // MARK: - Patterns

  @Test func aPatternsLimitIsEachNames() throws {
    let house = DynamicHouse([try DynamicHouse.pattern(.tag, "user:*", 5, "60s")])
    house.record(5, tags: ["user:alice"], at: 1)
    #expect(house.denials(["user:alice"], at: 1).count == 1)
    PolicyChanging(of: house.engine).enforce(
      Self.change(.tag, "user:*", "60s", Self.limit(6)), at: DynamicHouse.time(2))
    #expect(house.denials(["user:alice"], at: 2).isEmpty)
    PolicyChanging(of: house.engine).enforce(
      Self.change(.tag, "user:*", mode: .freeze), at: DynamicHouse.time(3))
    #expect(house.denials(["user:alice"], at: 3) == ["tag user:alice is frozen"])
    #expect(house.denials(["user:bob"], at: 3).count == 1, "one that was never charged too")
    #expect(house.denials(["team"], at: 3).isEmpty)
    let pattern = house.reading(at: 3).patterns()[0]
    #expect(pattern.pattern.policy.mode == .freeze && pattern.exhausted == 1)
  }

  @Test func aNameOfAPatternHasALimitOfItsOwnAndStays() throws {
    let house = DynamicHouse([try DynamicHouse.pattern(.tag, "user:*", 5, "60s")], bound: 1)
    house.record(1, tags: ["user:zoe"], at: 0)
    let raise = Self.change(.tag, "user:alice", "60s", Self.limit(8))
    PolicyChanging(of: house.engine).enforce(raise, at: DynamicHouse.time(1))
    // Though no more may be live.
    house.record(7, tags: ["user:alice"], at: 1)
    #expect(house.denials(["user:alice"], at: 1).isEmpty)
    #expect(house.denials(["user:alice"], estimate: 2, at: 1).count == 1)
    let found = NameBytes.with("user:alice") { house.reading(at: 1).budgets(.tag, $0) }
    #expect(
      found.first?.report.limit?.pico == 8 && found.first?.report.configured?.limit?.pico == 5)
    // Its window ends, and it stays; the other's goes.
    #expect(house.sweepAll(at: 61_000) == 1)
    #expect(house.engine.dynamicBudgetCount == 1)
    house.record(7, tags: ["user:alice"], at: 61_001)
    #expect(house.denials(["user:alice"], at: 61_001).isEmpty)
    PolicyChanging(of: house.engine).end(raise.register, at: DynamicHouse.time(61_002))
    #expect(house.denials(["user:alice"], at: 61_002).count == 1)
    #expect(house.sweepAll(at: 200_000) == 1)
  }

  @Test func aNameOfAPatternIsFrozenOverReloads() throws {
    let patterns = [try DynamicHouse.pattern(.tag, "user:*", 5, "60s")]
    let house = DynamicHouse(patterns)
    PolicyChanging(of: house.engine).enforce(
      Self.change(.tag, "user:alice", mode: .freeze, reason: "abuse"), at: DynamicHouse.time(1))
    #expect(house.denials(["user:alice"], at: 1) == ["tag user:alice is frozen: abuse"])
    house.reload(patterns, at: 2)
    #expect(house.denials(["user:alice"], at: 2) == ["tag user:alice is frozen: abuse"])
    // Without the pattern the name has no budget, and is frozen all the same.
    house.reload([], at: 3)
    #expect(house.denials(["user:alice"], at: 3) == ["tag user:alice is frozen: abuse"])
    house.reload(patterns, at: 4)
    #expect(house.denials(["user:alice"], at: 4) == ["tag user:alice is frozen: abuse"])
    #expect(house.denials(["user:bob"], at: 4).isEmpty)
  }

  /// However large the configuration is, a change makes no copy of it.
  @Test func aChangeCostsTheSameInALargeConfiguration() throws {
    guard allocation_count_is_available() else { return }
    let budgets = try (0..<50_000).map { try budget(.tag, "t\($0)", 5, "1d") }
    let fixture = EngineFixture(budgets)
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.tag, "t1", "1d", Self.limit(3)), at: at(1))
    let before = allocated_bytes()
    PolicyChanging(of: fixture.engine).enforce(
      Self.change(.tag, "t77", "1d", Self.limit(4)), at: at(1))
    let grown = allocated_bytes() - before
    #expect(grown < 64_000, "\(grown) bytes more")
  }

  /// Random changes and reloads: what is denied is what the policy in force says of the spend.
  @Test(arguments: 0..<30)
  func policiesAreThoseInForce(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let names = ["a", "b", "c"]
    var configured: [String: Int128] = [:]
    func configuration() throws -> [BudgetDefinition] {
      configured = [:]
      for name in names where random.chance(0.8) { configured[name] = Int128(random.below(6)) }
      return try configured.sorted { $0.key < $1.key }.map {
        try budget(.provider, $0.key, $0.value, "1d")
      }
    }
    var fixture = EngineFixture(try configuration())
    var (limits, modes): ([String: Int128], [String: BudgetMode]) = ([:], [:])
    for step in 0..<60 {
      let (now, name) = (at(Double(step)), random.pick(names))
      switch random.below(6) {
      case 0: _ = fixture.reload(try configuration(), at: now)
      case 1:
        limits[name] = Int128(random.below(6))
        PolicyChanging(of: fixture.engine).enforce(
          Self.change(.provider, name, "1d", Self.limit(limits[name] ?? 0)), at: now)
      case 2:
        modes[name] = random.pick(BudgetMode.allCases)
        PolicyChanging(of: fixture.engine).enforce(
          Self.change(.provider, name, mode: modes[name] ?? .enforce), at: now)
      case 3:
        let change = Self.change(.provider, name, random.chance(0.5) ? "1d" : "", .cleared)
        if change.register.matter == .limit { limits[name] = nil } else { modes[name] = nil }
        PolicyChanging(of: fixture.engine).end(change.register, at: now)
      default: fixture.record(1, provider: name, at: now)
      }
      let allowed = fixture.filter(names.map { ($0, "") }, at: now).allowed
      for (index, name) in names.enumerated() {
        let mode = modes[name] ?? .enforce
        let spend = fixture.report(.provider, name, at: now)?.spend.pico ?? 0
        let limit = configured[name].map { limits[name] ?? $0 }
        let denies = mode == .freeze || mode == .enforce && limit.map { spend >= $0 } ?? false
        #expect(
          allowed.contains(UInt32(index)) == !denies, "seed \(seed), step \(step), \(name)")
      }
    }
  }
}
