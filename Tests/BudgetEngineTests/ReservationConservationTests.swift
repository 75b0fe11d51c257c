import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import BudgetEngine

/// Random reservations, records and restarts against a model that knows no slots: no money is lost,
/// made or counted twice.
@Suite struct ReservationConservationTests {
  /// `BUDGETD_ORACLE_STEPS` sets how many operations there are, `SEED` with which numbers.
  @Test func everyReservationEndsOnceAndAllIsRecorded() throws {
    let environment = ProcessInfo.processInfo.environment
    let steps = environment["BUDGETD_ORACLE_STEPS"].flatMap { Int($0) } ?? 20_000
    let seed = environment["SEED"].flatMap { UInt64($0) } ?? .random(in: .min ... .max)
    var house = try ConservationHouse(seed: seed)
    // Restarts are rare, and few reservations are settled right behind one: a seed whose steps did not
    // meet all there is goes on until it has.
    var step = 0
    while house.faults.isEmpty, step < steps || !house.isCovered && step < 50 * steps {
      house.step()
      if step % 64 == 0 { house.check(step) }
      step += 1
    }
    house.check(step)
    house.end()
    #expect(house.faults == [], "SEED=\(seed)")
    #expect(house.isCovered, "SEED=\(seed): \(house.covered.sorted()) after \(step) steps")
  }
}

/// The engine under test, its model, and the ledger's part.
private struct ConservationHouse {
  private struct Held {
    var id: ReservationID
    var amount: Int128
    var until: Int64
    /// The budgets that it is kept back in.
    var budgets: Set<Int>
    var life: Int
    /// A settle has made it one of this life; its id tells the earlier one.
    var isAdopted = false
  }

  private struct Waiting {
    var word: UInt64
    var cost: Int128
    var charged: ChargedSlots
    var budgets: Set<Int>
    /// The hold that comes back where it is not recorded.
    var freed: Held?
  }

  static let allToBeCovered: Set<String> = [
    "held", "denied", "settled", "unsettled", "released", "extended", "expired", "restart",
    "inherited", "late", "again",
  ]
  private static let names = (0..<6).map { "t\($0)" }
  private static let limits: [Int128?] = [5_000_000, 20_000_000, nil, 100_000_000, 3_000_000, nil]
  /// Whole seconds and whole ticks of the wheel.
  private static let stepMilliseconds: Int64 = 8_000

  private var random: SeededRandom
  private var fixture: EngineFixture
  private let definitions: [BudgetDefinition]
  private var now: Int64 = 8_000
  private var life = 0
  private var open: [Held] = []
  private var over: [ReservationID] = []
  private var waiting: [Waiting] = []
  private var recorded = [Int128](repeating: 0, count: 6)
  /// The ledger's table of what is kept back.
  private var noted: [BudgetKey: [HeldSum]] = [:]
  var faults: [String] = []
  var covered: Set<String> = []
  var isCovered: Bool { covered.isSuperset(of: Self.allToBeCovered) }

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    definitions = try zip(Self.names, Self.limits).map { try budget(.tag, $0, $1, "1000w") }
    fixture = EngineFixture(definitions, reservations: Self.settings(0))
  }

  private static func settings(_ life: Int) -> ReservationSettings {
    var settings = ReservationSettings()
    settings.life = UInt32(life)
    settings.notesHolds = true
    return settings
  }

  private var time: Timestamp {
    Timestamp(unixMilliseconds: 1_768_435_200_000 + now)
  }

  private mutating func fail(_ text: String) { faults.append(text) }

  private mutating func someBudgets() -> Set<Int> {
    Set((0..<1 + random.below(4)).map { _ in random.below(6) })
  }

  private func charged(_ budgets: Set<Int>) -> ChargedSlots {
    fixture.charged(tags: budgets.sorted().map { Self.names[$0] })
  }

  mutating func step() {
    switch random.below(100) {
    case 0..<40: reserve()
    case 40..<60: settle()
    case 60..<78: conclude()
    case 78..<86: release()
    case 86..<91: extend()
    case 91..<95: settleAgain()
    case 95..<99: advance()
    default: if random.below(20) == 0 { restart() }
    }
  }

  private func kept(_ budget: Int) -> Int128 {
    open.reduce(0) { $0 + ($1.budgets.contains(budget) ? $1.amount : 0) }
  }

  private func pending(_ budget: Int) -> Int128 {
    waiting.reduce(0) { $0 + ($1.budgets.contains(budget) ? $1.cost : 0) }
  }

  private func admits(_ budget: Int, _ amount: Int128) -> Bool {
    guard let limit = Self.limits[budget] else { return true }
    let spent = recorded[budget] + pending(budget)
    return spent < limit && spent + kept(budget) + amount <= limit
  }

  private mutating func reserve() {
    let budgets = someBudgets()
    let amount = Int128(random.below(4) == 0 ? 0 : random.below(200_000))
    let ttl = Self.stepMilliseconds * Int64(1 + random.below(15))
    let isAdmitted = budgets.allSatisfy { admits($0, amount) }
    guard let made = fixture.held(amount, charged(budgets), ttl: ttl, at: time) else {
      if isAdmitted { fail("denied though \(amount) fits") }
      covered.insert("denied")
      return
    }
    if !isAdmitted { fail("held though \(amount) does not fit") }
    covered.insert("held")
    open.append(
      Held(id: made.id, amount: amount, until: now + ttl, budgets: budgets, life: life))
  }

  private mutating func settle() {
    guard !open.isEmpty else { return }
    let index = random.below(open.count)
    var held = open[index]
    if held.isAdopted || held.life != life && (held.amount == 0 || isAmbiguous(held)) { return }
    let budgets = random.chance(0.7) ? held.budgets : someBudgets()
    let cost = Int128(random.below(300_000))
    let charged = charged(budgets)
    guard let settlement = fixture.settle(cost, charged, held.id, at: time) else {
      return fail("outdated")
    }
    var freed: Held?
    if held.life == life {
      if settlement.kind != .freed { fail("an open one is \(settlement.kind)") }
      open.remove(at: index)
      freed = held
      over.append(held.id)
    } else {
      let own = held.budgets.intersection(budgets)
      if (settlement.kind == .inherited) != !own.isEmpty, settlement.kind != .inherited {
        fail("an earlier life's is \(settlement.kind)")
      }
      // Others of the same end may lend theirs: only what is its own is tried.
      guard budgets.isSubset(of: held.budgets) || own.isEmpty && settlement.kind == .late else {
        return giveUp(settlement, cost, charged, held, at: index)
      }
      if !own.isEmpty {
        covered.insert("inherited")
        var rest = held
        rest.budgets.subtract(own)
        rest.isAdopted = true
        if rest.budgets.isEmpty { open.remove(at: index) } else { open[index] = rest }
        held.budgets = own
        held.isAdopted = true
        freed = held
      }
    }
    waiting.append(
      Waiting(
        word: settlement.word, cost: cost, charged: charged, budgets: budgets, freed: freed))
  }

  /// Whether another one of an earlier life has an id of the same end and lasts longer or shorter: then
  /// the sums do not tell which part is whose, and the one that ends first is taken.
  private func isAmbiguous(_ held: Held) -> Bool {
    open.contains {
      $0.life != life && $0.id.untilSeconds == held.id.untilSeconds && $0.until != held.until
    }
  }

  /// Takes the settle back at once: what it may have freed of others' is theirs again.
  private mutating func giveUp(
    _ settlement: Settlement, _ cost: Int128, _ charged: ChargedSlots, _ held: Held,
    at index: Int
  ) {
    fixture.engine.unsettled(settlement.word, at: time)
    fixture.engine.abandon(PicoUSD(pico: cost), of: charged)
    // Its parts are in a reservation of this life now, with the same end.
    open[index].isAdopted = true
  }

  /// The disk answers.
  private mutating func conclude() {
    guard !waiting.isEmpty else { return }
    let one = waiting.remove(at: random.below(waiting.count))
    let cost = PicoUSD(pico: one.cost)
    if random.chance(0.8) {
      covered.insert("settled")
      fixture.engine.commit(cost, of: one.charged, at: time)
      fixture.engine.settled(one.word, cost: cost)
      for budget in one.budgets { recorded[budget] += one.cost }
    } else {
      covered.insert("unsettled")
      fixture.engine.unsettled(one.word, at: time)
      fixture.engine.abandon(cost, of: one.charged)
      guard var freed = one.freed, freed.until > now else { return }
      if freed.life == life, !freed.isAdopted { over.removeAll { $0 == freed.id } }
      if freed.life != life { freed.isAdopted = true }
      open.append(freed)
    }
  }

  private mutating func release() {
    guard !open.isEmpty else { return }
    let index = random.below(open.count)
    let held = open[index]
    let isReleased = fixture.engine.release(held.id, at: time)
    if isReleased != (held.life == life && !held.isAdopted) { fail("released: \(isReleased)") }
    guard isReleased else { return }
    covered.insert("released")
    over.append(held.id)
    open.remove(at: index)
  }

  private mutating func extend() {
    guard !open.isEmpty else { return }
    let index = random.below(open.count)
    let ttl = Self.stepMilliseconds * Int64(1 + random.below(20))
    let end = fixture.engine.extend(open[index].id, by: ttl, at: time)
    guard open[index].life == life, !open[index].isAdopted else {
      if end != nil { fail("an earlier life's was extended") }
      return
    }
    open[index].until = max(open[index].until, now + ttl)
    covered.insert("extended")
    if end?.unixMilliseconds != 1_768_435_200_000 + open[index].until { fail("another end") }
  }

  /// A record names one that is over: it is taken in full, and frees nothing.
  private mutating func settleAgain() {
    guard !over.isEmpty else { return }
    let id = random.pick(over)
    let budgets = someBudgets()
    let charged = charged(budgets)
    let cost = Int128(random.below(1_000))
    guard let settlement = fixture.settle(cost, charged, id, at: time) else {
      return fail("outdated")
    }
    switch settlement.kind {
    case .late: covered.insert("late")
    case .again, .underWay: covered.insert("again")
    case .freed, .inherited, .elsewhere: fail("one that is over is \(settlement.kind)")
    }
    fixture.engine.commit(PicoUSD(pico: cost), of: charged, at: time)
    for budget in budgets { recorded[budget] += cost }
  }

  private mutating func advance() {
    now += Self.stepMilliseconds * Int64(1 + random.below(2))
    if fixture.expire(at: time) > 0 { covered.insert("expired") }
    for held in open where held.until <= now && held.life == life { over.append(held.id) }
    open.removeAll { $0.until <= now }
  }

  private mutating func restart() {
    while !waiting.isEmpty { conclude() }
    for held in fixture.engine.takeChangedHolds(atMost: .max) { noted[held.key] = held.sums }
    check(-1)
    let windows = fixture.engine.windows(of: fixture.engine.catalog, countsPending: false, at: time)
    life += 1
    covered.insert("restart")
    let engine = BudgetEngine(restoring: windows, reservations: Self.settings(life))
    _ = engine.reload(EngineFixture.configuration(definitions), at: time)
    engine.inherit(noted.map { HeldBudget(key: $0.key, sums: $0.value) }, at: time)
    fixture = EngineFixture(engine)
    over = []
    for index in open.indices { open[index].isAdopted = false }
    // Which part belongs to which is not known of those that were split.
    var whole: [Held] = []
    for held in open {
      var one = held
      one.isAdopted = one.life != life - 1
      whole.append(one)
    }
    open = whole
  }

  mutating func check(_ step: Int) {
    for (index, name) in Self.names.enumerated() {
      let report = fixture.report(.tag, name, at: time)
      if report?.reserved.pico != kept(index) {
        fail("step \(step): \(report?.reserved.pico ?? -1) kept of \(name), not \(kept(index))")
      }
      if report?.spend.pico != recorded[index] {
        fail("step \(step): \(report?.spend.pico ?? -1) spent of \(name), not \(recorded[index])")
      }
    }
    let counts = fixture.engine.reservationCounts
    let ended = counts.settledAmount + counts.releasedAmount + counts.expiredAmount
    let rest = counts.heldAmount - ended
    if counts.held != counts.settled + counts.released + counts.expired + UInt64(counts.open) {
      fail("step \(step): \(counts)")
    }
    if counts.open != fixture.engine.openReservations { fail("step \(step): open") }
    if counts.open == 0, rest != .zero { fail("step \(step): \(rest) is nowhere") }
    let own = open.filter { $0.life == life }.reduce(Int128(0)) { $0 + $1.amount }
    let settling = waiting.filter { $0.freed?.life == life }
      .reduce(Int128(0)) { $0 + ($1.freed?.amount ?? 0) }
    if life == 0, rest.pico != own + settling { fail("step \(step): \(rest) is open") }
  }

  /// Once all is over nothing is kept back, and all that was given is recorded.
  mutating func end() {
    while !waiting.isEmpty { conclude() }
    now += 3_600_000
    fixture.expire(at: time)
    open = []
    check(-2)
    if fixture.engine.openReservations != 0 { fail("some are open for ever") }
  }
}
