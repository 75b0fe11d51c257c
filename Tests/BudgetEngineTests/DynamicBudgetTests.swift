import BudgetModel
import CAllocationCount
import Dispatch
import Testing

@testable import BudgetEngine

/// Budgets that names get from patterns.
@Suite struct DynamicBudgetTests {
  private static let hour: Int64 = 3_600_000
  private static let day: Int64 = 86_400_000

  private func daily(_ limit: Int128? = 5) throws -> [BudgetPattern] {
    [try DynamicHouse.pattern(.tag, "user:*", limit, "day")]
  }

  @Test func aNameGetsItsOwnBudgetAtItsFirstChargeOnly() throws {
    let house = DynamicHouse(try daily())
    #expect(house.denials(["user:a"], at: 1).isEmpty)
    #expect(house.denials(["user:a"], estimate: 5, at: 1).isEmpty)
    #expect(house.engine.dynamicBudgetCount == 0, "a filter makes nothing")
    house.record(5, tags: ["user:a", "user:a", "team:x"], at: 2)
    #expect(house.engine.dynamicBudgetCount == 1)
    #expect(house.spend(.tag, "user:a", "day", at: 3) == 5)
    #expect(
      house.denials(["user:a"], at: 3)
        == ["Exceeded budget for tag user:a per day: 5e-12 >= 5e-12"])
    #expect(house.denials(["user:b"], at: 3).isEmpty)
    #expect(
      house.denials(["user:b"], estimate: 6, at: 3)
        == ["Would exceed budget for tag user:* per day: 0.0 + 6e-12 > 5e-12"])
    #expect(house.denials(["user:a", "user:a"], at: 3).count == 1, "a repeated tag counts once")
    #expect(house.engine.dynamicBudgetCount == 1)
  }

  @Test func aBudgetIsLostWhenItsWindowHasEndedAndNothingWaits() throws {
    let house = DynamicHouse(try daily())
    house.record(5, tags: ["user:a"], at: 1)
    let queued = house.pend(2, .init(tags: ["user:b"]), at: 1)
    #expect(house.sweepAll(at: Self.day - 1) == 0)
    #expect(house.sweepAll(at: Self.day) == 1, "a's; b's has a record waiting")
    #expect(house.engine.dynamicBudgetCount == 1)
    house.engine.commit(PicoUSD(pico: 2), of: queued, at: DynamicHouse.time(Self.day + 1))
    #expect(house.spend(.tag, "user:b", "day", at: Self.day + 2) == 2)
    #expect(house.sweepAll(at: 2 * Self.day - 1) == 0)
    #expect(house.sweepAll(at: 2 * Self.day) == 1)
    let slots = house.engine.slotCount
    for number in 0..<2 { house.record(1, tags: ["user:new-\(number)"], at: 2 * Self.day) }
    #expect(house.engine.slotCount == slots, "their slots are handed out again")
  }

  @Test func aLateRecordNeverReachesTheNextOwnerOfASlot() throws {
    let house = DynamicHouse(try daily())
    house.record(5, tags: ["user:a"], at: 1)
    // Looked up, and then its lane slept.
    let late = house.charged(.init(tags: ["user:a"]), in: house.engine.catalog, at: 2)
    #expect(house.sweepAll(at: Self.day) == 1)
    house.record(1, tags: ["user:b"], at: Self.day)
    let now = DynamicHouse.time(Self.day + 1)
    #expect(
      late.slots
        == house.charged(
          .init(tags: ["user:b"]), in: house.engine.catalog, at: Self.day
        ).slots)
    #expect(!house.engine.addPending(PicoUSD(pico: 3), to: late))
    #expect(!house.engine.record(PicoUSD(pico: 3), to: late, at: now))
    #expect(house.spend(.tag, "user:b", "day", at: Self.day + 1) == 1)
    // Nothing stays pending of what was refused.
    #expect(house.denials(["user:b"], estimate: 4, at: Self.day + 1).isEmpty)
  }

  @Test func aRefusedRecordLeavesNothingPendingInItsOtherBudgets() throws {
    let house = DynamicHouse(
      try daily(), [try DynamicHouse.entry(.provider, "openai", 10, "day")])
    let names = DynamicHouse.Names(provider: "openai", tags: ["user:a"])
    let late = house.charged(names, in: house.engine.catalog, at: 1)
    #expect(late.slots.count == 2 && late.dependsOnPatterns)
    #expect(house.sweepAll(at: 1_000) == 0, "its charge may be on its way")
    #expect(house.sweepAll(at: 1_001) == 1, "never charged")
    #expect(!house.engine.addPending(PicoUSD(pico: 10), to: late))
    #expect(house.decision(.init(provider: "openai"), at: 2).allowed == [0])
    #expect(house.decision(.init(provider: "openai"), estimate: 10, at: 2).allowed == [0])
  }

  @Test func aSentenceThatIsRememberedIsNotTheNextOwners() throws {
    let house = DynamicHouse(try daily())
    var text = DenialText(maximumBytes: 8_192)
    func said(_ tag: String, at now: Int64) -> String {
      let decision = house.decision(.init(tags: [tag]), at: now)
      text.begin(under: house.engine.catalog.generation)
      for denial in decision.denials where !text.addKnown(denial, estimate: .zero) {
        text.add(
          denial, in: house.engine.catalog,
          candidate: ConfiguredDeployment(id: "d", modelName: "m", model: "m", provider: nil),
          estimate: .zero)
      }
      return String(text.text.dropFirst(DenialText.prefix.count))
    }
    house.reload([try DynamicHouse.pattern(.tag, "user:*", 5, "1s")], at: 0)
    house.record(5, tags: ["user:a"], at: 1_000)
    let first = house.decision(.init(tags: ["user:a"]), at: 1_001).denials
    #expect(said("user:a", at: 1_001).contains("user:a"))
    #expect(said("user:a", at: 1_001).contains("user:a"))
    #expect(house.sweepAll(at: 2_001) == 1)
    house.record(5, tags: ["user:b"], at: 2_001)
    let second = house.decision(.init(tags: ["user:b"]), at: 2_002).denials
    #expect(first.map(\.slot) == second.map(\.slot), "the slot was handed out again")
    #expect(said("user:b", at: 2_002).contains("user:b"))
    // A denial of the budget that was lost has no name any more, never another's.
    #expect(first.first.map { house.engine.catalog.name(of: $0) } == "")
    #expect(first.first.map(\.life) != second.first.map(\.life))
    var same = try #require(second.first)
    same.life &-= 1
    #expect(try !same.isSameDenial(as: #require(second.first)))
  }

  @Test func theLongestPatternOfAWindowWinsAndEntriesStandBeside() throws {
    let house = DynamicHouse(
      [
        try DynamicHouse.pattern(.tag, "*", 100, "day"),
        try DynamicHouse.pattern(.tag, "user:*", 50, "day"),
        try DynamicHouse.pattern(.tag, "user:vip-*", nil, "day"),
        try DynamicHouse.pattern(.tag, "user:*", 20, "hour"),
      ],
      [
        try DynamicHouse.entry(.tag, "user:x", 7, "day"),
        try DynamicHouse.entry(.tag, "t", 1, "hour"),
      ])
    for tag in ["team", "user:a", "user:vip-1", "user:x", "t"] {
      house.record(10, tags: [tag], at: 1)
    }
    func limits(_ name: String) -> [String] {
      NameBytes.with(name) { house.reading(at: 2).budgets(.tag, $0) }.map {
        "\($0.report.key.windowText) \($0.report.limit.map { "\($0.pico)" } ?? "-")"
      }
    }
    #expect(limits("team") == ["day 100"])
    #expect(limits("user:a") == ["hour 20", "day 50"])
    #expect(limits("user:vip-1") == ["hour 20", "day -"])
    #expect(limits("user:x") == ["hour 20"], "its own day stands in place of the pattern's")
    #expect(limits("t") == ["day 100"])
    #expect(house.entrySpend(.tag, "user:x", "day", at: 2) == 10)
    #expect(
      house.denials(["user:x"], at: 2)
        == ["Exceeded budget for tag user:x per day: 1e-11 >= 7e-12"])
    house.record(10, tags: ["user:x"], at: 3)
    #expect(
      house.denials(["user:x"], at: 3)
        == ["Exceeded budget for tag user:x per hour: 2e-11 >= 2e-11"], "the shorter one first")
  }

  @Test func pastTheBoundThePatternsOwnBudgetCounts() throws {
    let house = DynamicHouse(try daily(), bound: 2)
    for tag in ["user:a", "user:b", "user:c", "user:d"] { house.record(3, tags: [tag], at: 1) }
    #expect(house.engine.dynamicBudgetCount == 2)
    #expect(house.entrySpend(.tag, "user:*", "day", at: 2) == 6)
    let reports = house.reading(at: 2).patterns()
    #expect(reports.map(\.overflowed) == [2])
    #expect(reports.map(\.live) == [2] && reports.map(\.spend.pico) == [6])
    #expect(house.denials(["user:c"], at: 2).isEmpty, "open")
    house.reload(try daily(), full: .deny, at: 3)
    #expect(
      house.denials(["user:c"], at: 4)
        == ["tag user:* has no room for the budget of another name: all dynamic budgets are in use"]
    )
    #expect(house.denials(["user:a"], at: 4).isEmpty)
    // The next day there is room again.
    house.record(1, tags: ["user:c"], at: Self.day)
    #expect(house.spend(.tag, "user:c", "day", at: Self.day) == 1)
    #expect(house.denials(["user:d"], at: Self.day).isEmpty)
  }

  /// A request that needs more places than are free is charged at once: what it has been given is not
  /// taken for the rest of it, by itself or by another one.
  @Test func whatARequestHasMadeIsKeptForIt() throws {
    for places in 0...2 {
      let house = DynamicHouse(
        try daily() + [try DynamicHouse.pattern(.tag, "user:*", 9, "month")], bound: places)
      let names = DynamicHouse.Names(tags: ["user:a", "user:b"])
      let first = house.charged(names, in: house.engine.catalog, at: 1)
      let other = house.charged(.init(tags: ["user:c"]), in: house.engine.catalog, at: 2)
      for (number, charged) in [first, other].enumerated() {
        #expect(
          house.engine.record(PicoUSD(pico: 3), to: charged, at: DynamicHouse.time(3)),
          "\(places) places, request \(number)")
      }
      #expect(house.engine.dynamicBudgetCount == places)
      #expect(house.reading(at: 3).patterns().map(\.overflowed).reduce(0, +) == UInt64(6 - places))
      let shared = ["day", "month"].compactMap { house.entrySpend(.tag, "user:*", $0, at: 3) }
      let own = house.reading(at: 3).patterns().map(\.spend.pico).reduce(0, +)
      #expect(own == Int128(3 * places) && shared.reduce(0, +) <= 18)
    }
  }

  @Test func frozenShadowedAndZeroPatternsJudgeEveryName() throws {
    let house = DynamicHouse([
      try DynamicHouse.pattern(.tag, "f:*", nil, "day", .freeze),
      try DynamicHouse.pattern(.tag, "s:*", 1, "day", .shadow),
      try DynamicHouse.pattern(.tag, "z:*", 0, "day"),
    ])
    #expect(house.denials(["f:1"], at: 1) == ["tag f:* is frozen"])
    #expect(
      house.denials(["z:1"], at: 1) == ["Exceeded budget for tag z:* per day: 0.0 >= 0.0"])
    for tag in ["f:1", "s:1", "z:1"] { house.record(2, tags: [tag], at: 1) }
    #expect(house.denials(["f:1"], at: 2) == ["tag f:1 is frozen"])
    #expect(house.denials(["s:1"], at: 2).isEmpty)
    let reports = house.reading(at: 2).patterns()
    #expect(reports.map(\.shadowed) == [0, 1, 0])
    #expect(reports.map(\.exhausted) == [1, 1, 1])
  }

  @Test func aReloadReachesAllLiveOnesAtOnce() throws {
    let house = DynamicHouse(try daily())
    house.record(4, tags: ["user:a"], at: 1)
    house.record(4, tags: ["user:b"], at: 1)
    house.reload(try daily(3), at: 2)
    #expect(house.denials(["user:a", "user:b"], at: 3).count == 2)
    // Without its pattern it is not in force, and keeps its window.
    house.reload([], at: 4)
    #expect(house.denials(["user:a"], at: 5).isEmpty)
    #expect(house.engine.dynamicBudgetCount == 2)
    house.record(1, tags: ["user:a"], at: 5)
    house.reload(try daily(4), at: 6)
    #expect(house.spend(.tag, "user:a", "day", at: 7) == 4)
    #expect(house.denials(["user:a"], at: 7).count == 1)
  }

  @Test func anEntryGoesOnWithADynamicBudgetsSpendAndBack() throws {
    let house = DynamicHouse(try daily(nil))
    house.record(4, tags: ["user:a"], at: 1)
    let before = house.charged(.init(tags: ["user:a"]), in: house.engine.catalog, at: 2)
    let old = house.engine.catalog
    let entry = try DynamicHouse.entry(.tag, "user:a", 6, "day")
    let report = house.reload(try daily(nil), [entry], at: 3)
    #expect(report.added.map(\.name) == ["user:a"] && report.reusedSlots.isEmpty)
    #expect(house.engine.dynamicBudgetCount == 0)
    #expect(house.entrySpend(.tag, "user:a", "day", at: 4) == 4)
    // A look-up from before the reload reaches it all the same.
    #expect(house.engine.record(PicoUSD(pico: 1), to: before, at: DynamicHouse.time(4)))
    #expect(house.entrySpend(.tag, "user:a", "day", at: 4) == 5)
    // Who still has the old configuration makes no second one.
    let stale = house.charged(.init(tags: ["user:a"]), in: old, at: 5)
    #expect(stale.isStale && !house.engine.addPending(PicoUSD(pico: 1), to: stale))
    #expect(house.engine.dynamicBudgetCount == 0)
    let named = house.charged(.init(tags: ["user:a"]), in: house.engine.catalog, at: 5)
    house.reload(try daily(nil), at: 6)
    #expect(house.spend(.tag, "user:a", "day", at: 7) == 5)
    #expect(house.engine.record(PicoUSD(pico: 2), to: named, at: DynamicHouse.time(7)))
    #expect(house.spend(.tag, "user:a", "day", at: 7) == 7)
    // Its slot may be in the hands of one that has the entry: it is not handed out again.
    #expect(house.sweepAll(at: Self.day) == 1)
    house.record(1, tags: ["user:n"], at: Self.day)
    #expect(house.engine.record(PicoUSD(pico: 2), to: named, at: DynamicHouse.time(Self.day)))
    #expect(house.spend(.tag, "user:n", "day", at: Self.day) == 1)
    house.record(1, tags: ["user:a"], at: Self.day + 1)
    #expect(house.spend(.tag, "user:a", "day", at: Self.day + 1) == 3)
    withExtendedLifetime(old) {}
  }

  @Test func aRestartFindsOpenWindowsOnly() throws {
    func window(_ name: String, _ start: Int64, _ window: String = "day") throws
      -> BudgetWindowState
    {
      let open = try WindowRule(text: window).window(at: DynamicHouse.time(start))
      return BudgetWindowState(
        key: BudgetKey(scope: .tag, name: name, windowText: window), start: open.start,
        end: open.end, spend: PicoUSD(pico: 5))
    }
    let house = DynamicHouse(restoring: [
      try window("user:a", Self.day), try window("user:old", 1), try window("team", Self.day),
      try window("user:a", Self.day, "month"),
    ])
    house.reload(try daily(), at: Self.day + 1)
    #expect(house.engine.dynamicBudgetCount == 1)
    #expect(house.spend(.tag, "user:a", "day", at: Self.day + 2) == 5)
    #expect(house.denials(["user:a"], at: Self.day + 2).count == 1)
    #expect(house.denials(["user:old"], at: Self.day + 2).isEmpty)
    #expect(house.sweepAll(at: 2 * Self.day) == 1)
    let slots = house.engine.slotCount
    house.record(1, tags: ["user:b"], at: 2 * Self.day)
    #expect(house.engine.slotCount == slots, "nobody knew its slot: it is free at once")
  }

  private func restored(_ name: String, _ window: String, _ pico: Int128) -> BudgetWindowState {
    BudgetWindowState(
      key: BudgetKey(scope: .tag, name: name, windowText: window), start: DynamicHouse.time(1),
      end: DynamicHouse.time(Self.day), spend: PicoUSD(pico: pico))
  }

  /// After a restart an entry goes on with what its name has spent by a pattern, also where it writes
  /// the same length another way; a longer pattern's windows are not those of the shorter one.
  @Test func aRestartTellsEntriesFromPatterns() throws {
    let house = DynamicHouse(restoring: [
      restored("user:a", "1d", 5), restored("user:b", "1d", 4), restored("user:cc", "1d", 3),
    ])
    house.reload(
      [
        try DynamicHouse.pattern(.tag, "user:*", 100, "1d"),
        try DynamicHouse.pattern(.tag, "user:c*", 100, "24h"),
      ], [try DynamicHouse.entry(.tag, "user:a", 5, "24h")], at: 2)
    #expect(house.engine.dynamicBudgetCount == 1)
    #expect(house.entrySpend(.tag, "user:a", "24h", at: 3) == 5)
    #expect(house.denials(["user:a"], at: 3).count == 1)
    #expect(house.spend(.tag, "user:b", "1d", at: 3) == 4)
    house.record(1, tags: ["user:a", "user:b", "user:cc"], at: 4)
    #expect(house.spend(.tag, "user:b", "1d", at: 5) == 5)
    #expect(house.spend(.tag, "user:cc", "24h", at: 5) == 1)
  }

  /// A bound that is lower than before a restart holds.
  @Test func aRestartMakesNoMoreThanMayBe() throws {
    let house = DynamicHouse(
      restoring: (0..<5).map { restored("user:\($0)", "day", 7) }, bound: 2)
    house.reload(try daily(), at: 2)
    #expect(house.engine.dynamicBudgetCount == 2)
    house.record(1, tags: (0..<5).map { "user:\($0)" }, at: 3)
    #expect(house.engine.dynamicBudgetCount == 2)
  }

  /// Short names of which one has a byte more, and that byte differs in two bits.
  @Test func shortTagsAreNotTakenForEachOther() throws {
    let house = DynamicHouse([try DynamicHouse.pattern(.tag, "*", 1, "day", .freeze)])
    #expect(house.denials(["2", "12", "1", "21", "4", "41", "14", "24", "42"], at: 1).count == 9)
    #expect(house.denials(["2", "12", "2", "12"], at: 1).count == 2)
  }

  @Test func labelsNameTheNameAndItsWindow() throws {
    let house = DynamicHouse(try daily())
    let charged = house.pend(1, .init(tags: ["user:a", "user:b"]), at: 1)
    var windows: [BudgetWindowState] = []
    house.engine.label(charged.slots, at: DynamicHouse.time(2), into: &windows)
    #expect(windows.map(\.key.description) == ["tag user:a per day", "tag user:b per day"])
    #expect(windows.allSatisfy { $0.end.unixMilliseconds == Self.day - 1 })
  }

  @Test func providersAndModelsHavePatternsToo() throws {
    let house = DynamicHouse([
      try DynamicHouse.pattern(.provider, "*", 10, "day"),
      try DynamicHouse.pattern(.model, "gpt-*", 4, "day"),
    ])
    let names = DynamicHouse.Names(provider: "openai", modelName: "gpt-4")
    house.record(4, names, at: 1)
    #expect(house.spend(.provider, "openai", "day", at: 2) == 4)
    #expect(house.spend(.model, "gpt-4", "day", at: 2) == 4)
    #expect(house.decision(names, at: 2).denials.map(\.scope) == [.model])
    #expect(house.decision(.init(provider: "openai", modelName: "o3"), at: 2).allowed == [0])
    house.record(6, .init(provider: "openai", modelName: "o3"), at: 3)
    #expect(house.decision(names, at: 4).denials.map(\.scope) == [.provider])
    #expect(house.decision(.init(provider: "groq", modelName: "gpt-5"), at: 4).allowed == [0])
  }

  @Test func theNearestToTheirLimitsAreFound() throws {
    let house = DynamicHouse([
      try DynamicHouse.pattern(.tag, "user:*", 100, "day"),
      try DynamicHouse.pattern(.tag, "team:*", 100, "day"),
    ])
    for number in 1...300 {
      house.record(Int128(number % 100 + 1), tags: ["user:\(number)"], at: 1)
      house.record(Int128(number), tags: ["team:\(number)"], at: 1)
    }
    let nearest = house.reading(at: 2).nearest(4, to: .tag, "user:*")
    #expect(nearest.map(\.report.spend.pico) == [100, 100, 100, 99])
    #expect(nearest.allSatisfy { $0.report.key.name.hasPrefix("user:") })
    #expect(
      house.reading(at: 2).nearest(4, to: .tag, "none:*").isEmpty)
  }

  @Test func sweepingLooksAtABoundedNumber() throws {
    let house = DynamicHouse(try daily(), bound: 10_000)
    for number in 0..<5_000 { house.record(1, tags: ["user:\(number)"], at: 1) }
    #expect(house.engine.sweepDynamicBudgets(atMost: 10, at: DynamicHouse.time(Self.day)) <= 10)
    house.sweepAll(at: Self.day)
    #expect(house.engine.dynamicBudgetCount == 0)
  }

  @Test func fourThreadsThatMakeTheSameNamesLoseNothing() throws {
    let house = DynamicHouse(
      [try DynamicHouse.pattern(.tag, "user:*", nil, "1000w")], bound: 10_000)
    let perThread = 20_000
    DispatchQueue.concurrentPerform(iterations: 5) { thread in
      if thread == 4 {
        for round in 0..<200 {
          house.reload(
            (try? [DynamicHouse.pattern(.tag, "user:*", Int128(round), "1000w")]) ?? [], at: 1)
          house.engine.sweepDynamicBudgets(atMost: 1_000, at: DynamicHouse.time(1))
        }
        return
      }
      for step in 0..<perThread { house.record(1, tags: ["user:\(step % 500)"], at: 1) }
    }
    #expect(house.engine.dynamicBudgetCount == 500)
    for name in 0..<500 {
      #expect(
        house.spend(.tag, "user:\(name)", "1000w", at: 2) == Int128(4 * perThread / 500), "\(name)")
    }
  }

  @Test func fourThreadsAndASweeperLoseNothing() throws {
    // A window of a second, and a clock that runs: budgets come and go all the time.
    let house = DynamicHouse([try DynamicHouse.pattern(.tag, "user:*", nil, "1s")], bound: 10_000)
    let total = DynamicHouse.Names(tags: ["user:all"])
    DispatchQueue.concurrentPerform(iterations: 5) { thread in
      if thread == 4 {
        for round in 0..<4_000 {
          house.engine.sweepDynamicBudgets(
            atMost: 1_000, at: DynamicHouse.time(Int64(round) * 100))
        }
        return
      }
      for step in 0..<5_000 {
        // The last second of time to come: nothing of it can be swept.
        house.record(1, total, at: 1_000_000)
        house.record(1, tags: ["user:\(thread)-\(step % 50)"], at: Int64(step) * 50)
      }
    }
    #expect(house.spend(.tag, "user:all", "1s", at: 1_000_500) == 20_000)
  }

  @Test func aLiveBudgetTakesAtMostTheBytesItMay() throws {
    guard allocation_count_is_available() else { return }
    let count = 50_000
    let house = DynamicHouse(try daily(), bound: count)
    let before = allocated_bytes()
    for number in 0..<count { house.record(1, tags: ["user:\(1_000_000_000 + number)"], at: 1) }
    let perBudget = (allocated_bytes() - before) / count
    print("bytes for a live dynamic budget with a name of 15 bytes: \(perBudget)")
    #expect((128...400).contains(perBudget))
    // Names that come and go take no more.
    for round in 1...3 {
      for number in 0..<count {
        house.record(
          1, tags: ["user:\(round)-\(1_000_000_000 + number)"], at: Int64(round) * Self.day)
      }
    }
    let after = (allocated_bytes() - before) / count
    print("bytes after three days of other names: \(after)")
    #expect(house.engine.dynamicBudgetCount <= count && after <= 400)
  }
}
