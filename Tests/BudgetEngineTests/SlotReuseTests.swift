import BudgetModel
import CAllocationCount
import SeededRandom
import Testing

@testable import BudgetEngine

/// Slots of dropped budgets are handed out again, once nothing can refer to them.
@Suite struct SlotReuseTests {
  private func tags(_ names: some Sequence<String>, _ window: String = "60s") throws
    -> [BudgetDefinition]
  {
    try names.map { try budget(.tag, $0, 1_000, window) }
  }

  private func names(_ round: Int, count: Int = 100) -> [String] {
    (0..<count).map { "round-\(round)-\($0)" }
  }

  @Test func reloadsThatReplaceEverythingTakeNoMoreSlots() throws {
    let fixture = EngineFixture(try tags(names(0)))
    for round in 1...30 {
      let report = fixture.reload(try tags(names(round)), at: at(Double(round)))
      #expect(report.added.count == 100 && report.removed.count == 100)
      #expect(report.reusedSlots.count == (round == 1 ? 0 : 100))
    }
    #expect(fixture.engine.slotCount == 200, "those in force, and those of the reload before")
  }

  @Test func reloadsThatReplaceEverythingKeepNoMemory() throws {
    guard allocation_count_is_available() else { return }
    let long = String(repeating: "x", count: 200)
    func configuration(_ round: Int) throws -> [BudgetDefinition] {
      try tags(names(round, count: 1_000).map { $0 + long })
    }
    let fixture = EngineFixture(try configuration(0))
    for round in 1...4 { _ = fixture.reload(try configuration(round), at: at(Double(round))) }
    let before = allocated_bytes()
    for round in 5...44 { _ = fixture.reload(try configuration(round), at: at(Double(round))) }
    let grown = allocated_bytes() - before
    #expect(grown < 600_000, "\(grown) bytes more after 40 reloads of 1,000 tags")
  }

  @Test func windowsThatChangeTheirLengthAgainAndAgainTakeNoMoreSlots() throws {
    let fixture = EngineFixture(try tags(names(0), "60s"))
    for round in 1...30 {
      _ = fixture.reload(try tags(names(0), "\(60 + round)s"), at: at(Double(round)))
    }
    #expect(fixture.engine.slotCount <= 400)
  }

  @Test func emptyWindowsOfDroppedProvidersKeepNoSlots() throws {
    let fixture = EngineFixture([])
    for round in 0..<20 {
      _ = fixture.reload(
        try names(round).map { try budget(.provider, $0, 5, "30d") }, at: at(Double(round)))
    }
    #expect(fixture.engine.slotCount == 200)
  }

  @Test func theSpendOfADroppedBudgetIsThereUntilItsWindowEnds() throws {
    var fixture = EngineFixture(try tags(["a", "b"]))
    fixture.record(5, tags: ["a"], at: at(1))
    for round in 1...5 { _ = fixture.reload(try tags(names(round)), at: at(1 + Double(round))) }
    _ = fixture.reload(try tags(["a", "b"]), at: at(10))
    #expect(fixture.report(.tag, "a", at: at(10))?.spend.pico == 5)
    #expect(fixture.report(.tag, "a", at: at(10))?.resetsAt == at(61))
    _ = fixture.reload(try tags(names(6)), at: at(20))
    _ = fixture.reload(try tags(names(7)), at: at(62))
    _ = fixture.reload(try tags(["a"]), at: at(63))
    #expect(fixture.report(.tag, "a", at: at(63))?.spend == .zero)
    #expect(fixture.report(.tag, "a", at: at(63))?.resetsAt == nil)
    #expect(fixture.filter([("p", "")], tags: ["a"], estimate: 1_000, at: at(63)).allowed == [0])
    #expect(fixture.engine.slotCount <= 204)
  }

  @Test(arguments: [0, 7] as [Int128])
  func aQueuedRecordKeepsItsSlot(pico: Int128) throws {
    let fixture = EngineFixture(try tags(["a"]))
    let queued = fixture.charged(tags: ["a"])
    fixture.engine.addPending(PicoUSD(pico: pico), to: queued)
    fixture.engine.addPending(PicoUSD(pico: pico), to: queued)
    for round in 1...4 { _ = fixture.reload(try tags(names(round)), at: at(Double(round))) }
    var windows: [BudgetWindowState] = []
    fixture.engine.label(queued.slots, at: at(5), into: &windows)
    #expect(windows.map(\.key.name) == ["a"])
    var sums = ChargeSums()
    sums.begin()
    sums.add(PicoUSD(pico: pico), to: queued.slots.span)
    fixture.engine.commit(sums, at: at(5))
    for round in 5...8 { _ = fixture.reload(try tags(names(round)), at: at(Double(round))) }
    fixture.engine.abandon(PicoUSD(pico: pico), of: queued)
    for name in names(8) {
      #expect(fixture.report(.tag, name, at: at(9))?.resetsAt == nil, "no window was opened")
    }
    _ = fixture.reload(try tags(["a"]), at: at(10))
    #expect(fixture.report(.tag, "a", at: at(10))?.spend.pico == pico)
    #expect(fixture.report(.tag, "a", at: at(10))?.resetsAt == (pico == 0 ? nil : at(65)))
  }

  @Test func aSlotThatOneRecordOfABatchHoldsIsFreeAfterwards() throws {
    let fixture = EngineFixture(try tags(["a"]))
    let queued = fixture.charged(tags: ["a"])
    for _ in 0..<3 { fixture.engine.addPending(PicoUSD(pico: 2), to: queued) }
    var sums = ChargeSums()
    sums.begin()
    for _ in 0..<3 { sums.add(PicoUSD(pico: 2), to: queued.slots.span) }
    fixture.engine.commit(sums, at: at(0))
    for round in 1...3 { _ = fixture.reload(try tags(["b\(round)"]), at: at(100 * Double(round))) }
    #expect(fixture.engine.slotCount == 2)
  }

  @Test func aConfigurationThatSomebodyHasKeepsItsSlots() throws {
    let fixture = EngineFixture(try tags(["a"]))
    let reader = CatalogReader(engine: fixture.engine)
    let underWay = fixture.charged(tags: ["a"])
    for round in 1...3 { _ = fixture.reload(try tags(names(round)), at: at(Double(round))) }
    fixture.engine.record(PicoUSD(pico: 5), to: underWay, at: at(4))
    withExtendedLifetime(reader) {}
    for name in names(3) { #expect(fixture.report(.tag, name, at: at(4))?.spend == .zero) }
    _ = fixture.reload(try tags(["a"]), at: at(5))
    #expect(fixture.report(.tag, "a", at: at(5))?.spend.pico == 5)
  }

  @Test func aWindowsSuccessorIsKeptWhileChargesMayFollowIt() throws {
    let fixture = EngineFixture([try budget(.tag, "a", 100, "60s")])
    let queued = fixture.charged(tags: ["a"])
    fixture.engine.addPending(PicoUSD(pico: 3), to: queued)
    _ = fixture.reload([try budget(.tag, "a", 100, "90s")], at: at(1))
    for round in 2...5 { _ = fixture.reload(try tags(names(round)), at: at(Double(round))) }
    fixture.engine.commit(PicoUSD(pico: 3), of: queued, at: at(6))
    for name in names(5) { #expect(fixture.report(.tag, name, at: at(6))?.spend == .zero) }
    _ = fixture.reload([try budget(.tag, "a", 100, "90s")], at: at(7))
    #expect(fixture.report(.tag, "a", at: at(7))?.spend.pico == 3)
  }

  @Test func aReusedSlotDeniesByItsOwnLimitAlone() throws {
    var fixture = EngineFixture([try budget(.tag, "full", 0, "60s")])
    _ = fixture.reload([], at: at(1))
    _ = fixture.reload([try budget(.tag, "new", 10, "1d")], at: at(2))
    #expect(fixture.engine.slotCount == 1)
    #expect(fixture.filter([("p", "")], tags: ["new"], at: at(2)).allowed == [0])
    fixture.record(10, tags: ["new"], at: at(3))
    #expect(fixture.filter([("p", "")], tags: ["new"], at: at(3)).isExhausted)
    #expect(fixture.report(.tag, "new", at: at(3))?.resetsAt == at(86_403))
    #expect(fixture.report(.tag, "new", at: at(3))?.charged.pico == 10)
  }

  /// The spend that each budget should have, remembered without slots and without an end.
  private struct Reference {
    struct Owner {
      var length: Int
      var end = -1
      var spend: Int128 = 0
    }

    var owners: [String: Owner] = [:]

    mutating func comeInForce(_ name: String, length: Int) {
      if owners[name]?.length != length { owners[name] = Owner(length: length) }
    }

    mutating func charge(_ name: String, _ pico: Int128, at second: Int) {
      guard var owner = owners[name] else { return }
      if second > owner.end { (owner.end, owner.spend) = (second + owner.length, 0) }
      owner.spend += pico
      owners[name] = owner
    }
  }

  @Test(arguments: 0..<20)
  func whateverIsReloadedNothingIsChargedElsewhere(_: Int) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var reference = Reference()
    let fixture = EngineFixture([])
    var held: [(charged: ChargedSlots, names: [String], pico: Int128)] = []
    var inForce: [String] = []
    var second = 0
    for step in 0..<200 {
      second += Int.random(in: 0...3, using: &random) * 10
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let fresh = (0..<Int.random(in: 0...20, using: &random)).map { "new-\(step)-\($0)" }
        let old = (0..<12).map { "old-\($0)" }.filter { _ in Bool.random(using: &random) }
        inForce = (fresh + old).shuffled(using: &random)
        let definitions = try inForce.map { name in
          let length = [30, 60, 90].randomElement(using: &random) ?? 30
          reference.comeInForce(name, length: length)
          return try budget(
            .tag, name, nil, length == 60 && Bool.random(using: &random) ? "1m" : "\(length)s")
        }
        _ = fixture.reload(definitions, at: at(Double(second)))
      case 1:
        let names = Set(inForce.shuffled(using: &random).prefix(2))
        let pico = Int128(Int.random(in: 1...5, using: &random))
        let charged = fixture.charged(tags: names.sorted())
        fixture.engine.addPending(PicoUSD(pico: pico), to: charged)
        held.append((charged, names.sorted(), pico))
      case 2 where !held.isEmpty:
        let record = held.remove(at: Int.random(in: 0..<held.count, using: &random))
        fixture.engine.commit(
          PicoUSD(pico: record.pico), of: record.charged, at: at(Double(second)))
        for name in record.names { reference.charge(name, record.pico, at: second) }
      case 3 where !held.isEmpty && Int.random(in: 0..<4, using: &random) == 0:
        let record = held.remove(at: Int.random(in: 0..<held.count, using: &random))
        fixture.engine.abandon(PicoUSD(pico: record.pico), of: record.charged)
      default: break
      }
      for name in inForce {
        let report = try #require(fixture.report(.tag, name, at: at(Double(second))))
        let owner = reference.owners[name]
        let isOpen = (owner?.end ?? -1) >= second
        #expect(report.spend.pico == (isOpen ? owner?.spend : 0), "seed \(seed), \(name)")
        #expect((report.resetsAt != nil) == isOpen, "seed \(seed), \(name)")
      }
    }
    #expect(fixture.engine.slotCount < 400, "seed \(seed)")
  }

  @Test func ownersAreFoundWhateverOthersWereForgotten() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var keys = SlotKeys()
    var index = OwnerIndex()
    let window = keys.window(text: "1d")
    var present: Set<Int32> = []
    for slot in Int32(0)..<400 {
      let name = NameBytes.with("owner-\(slot)") { keys.append(name: $0) }
      keys.append(scope: .tag, name: name, window: window)
    }
    for _ in 0..<3_000 {
      let slot = Int32.random(in: 0..<400, using: &random)
      keys.names.with(keys.name(of: slot)) { name in
        if present.remove(slot) != nil {
          index.remove(.tag, name, keys: keys)
        } else {
          index.set(slot, .tag, name, keys: keys)
          present.insert(slot)
        }
      }
      let probe = Int32.random(in: 0..<400, using: &random)
      let found = keys.names.with(keys.name(of: probe)) { index.slot(.tag, $0, keys: keys) }
      #expect(found == (present.contains(probe) ? probe : nil), "seed \(seed)")
    }
  }
}
