import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import BudgetEngine

/// The short way of a reservation, by two numbers a budget, against the close look: of two engines that are
/// asked the same, one is made to look closely each time.
@Suite struct ReservationPlainTests {
  /// `BUDGETD_ORACLE_STEPS` sets how many operations there are, `SEED` with which numbers.
  @Test func theShortWayDecidesAsTheCloseLookDoes() throws {
    let environment = ProcessInfo.processInfo.environment
    let steps = environment["BUDGETD_ORACLE_STEPS"].flatMap { Int($0) } ?? 10_000
    let seed = environment["SEED"].flatMap { UInt64($0) } ?? .random(in: .min ... .max)
    var twins = try TwinEngines(seed: seed)
    for step in 0..<steps where twins.faults.isEmpty { try twins.step(step) }
    #expect(twins.faults == [], "SEED=\(seed)")
    #expect(
      twins.covered.isSuperset(of: ["held", "denied", "deferred", "fitted", "watched"]),
      "SEED=\(seed): \(twins.covered.sorted())")
  }

  @Test func notEvenNothingIsReservedWhereAllIsSpent() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "1d")])
    let charged = fixture.charged(tags: ["t"])
    fixture.record(100, tags: ["t"], at: at(0))
    #expect(fixture.reserve(0, charged, at: at(0)) == .denied)
  }
}

private struct TwinEngines {
  private static let names = ["a", "b", "c", "d", "e"]

  private var random: SeededRandom
  private let short: EngineFixture
  private let close: EngineFixture
  private var now: Int64 = 0
  private var open: [ReservationID] = []
  private var time: Timestamp { at(Double(now) / 1_000) }
  var faults: [String] = []
  var covered: Set<String> = []

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    // One life: their ids are the same too.
    var settings = ReservationSettings()
    settings.life = 7
    let budgets = try Self.budgets(&random)
    short = EngineFixture(budgets, reservations: settings)
    close = EngineFixture(budgets, reservations: settings)
  }

  private static func budgets(_ random: inout SeededRandom) throws -> [BudgetDefinition] {
    let modes: [BudgetMode] = [.enforce, .enforce, .enforce, .shadow, .freeze]
    return try names.map { name in
      try DynamicHouse.entry(
        .tag, name, random.chance(0.2) ? nil : Int128(200_000 + random.below(1_000_000)),
        random.pick(["20s", "20s", "1h"]), random.chance(0.3) ? random.pick(modes) : .enforce)
    }
  }

  mutating func step(_ step: Int) throws {
    switch random.below(100) {
    case 0..<55: reserve(step)
    case 55..<75: settle(step)
    case 75..<80: release(step)
    case 80..<82: while !open.isEmpty { release(step) }
    case 82..<88: record()
    case 88..<93: claim()
    case 93..<98:
      now += Int64(random.below(8_000))
      compare(short.expire(at: time), close.expire(at: time), "expired in step \(step)")
    default:
      let budgets = try Self.budgets(&random)
      _ = short.reload(budgets, at: time)
      _ = close.reload(budgets, at: time)
    }
    for name in Self.names {
      let (left, right) = (
        short.report(.tag, name, at: time), close.report(.tag, name, at: time)
      )
      compare(left?.reserved, right?.reserved, "reserved of \(name) after step \(step)")
      compare(left?.spend, right?.spend, "spend of \(name) after step \(step)")
      compare(left?.shadowed, right?.shadowed, "watched of \(name) after step \(step)")
      if let shadowed = left?.shadowed, shadowed > 0 { covered.insert("watched") }
    }
  }

  private mutating func compare<Value: Equatable>(_ left: Value, _ right: Value, _ what: String) {
    if left != right { faults.append("\(what): \(left), looked at closely \(right)") }
  }

  /// The budgets of some tags, as each engine is asked for them.
  private mutating func charged() -> (short: ChargedSlots, close: ChargedSlots) {
    let tags = Self.names.filter { _ in random.chance(0.5) }
    var closely = close.charged(tags: tags)
    closely.dependsOnPatterns = true
    return (short.charged(tags: tags), closely)
  }

  private mutating func reserve(_ step: Int) {
    let amount = PicoUSD(pico: Int128(random.below(random.chance(0.2) ? 800_000 : 60_000)))
    var asked = ReservedAmount(amount)
    if random.chance(0.4) {
      let deviation = PicoUSD(pico: Int128(random.below(40_000)))
      asked = ReservedAmount(
        amount, variance: CostVariance(deviation: deviation), isEstimated: random.chance(0.7))
    }
    let ask = ReservationAsk(asked, ttl: Int64(1_000 + random.below(20_000)))
    let (slots, closely) = charged()
    var (attempt, other) = (ReservationAttempt(), ReservationAttempt())
    let answer = short.reserve(ask, slots, &attempt, at: time)
    compare(answer, close.reserve(ask, closely, &other, at: time), "answer of step \(step)")
    compare(
      attempt.denials.map(\.slot), other.denials.map(\.slot), "denials of step \(step)")
    compare(
      attempt.denials.map(\.reserved), other.denials.map(\.reserved), "denials of step \(step)")
    compare(attempt.lacking, other.lacking, "lacking in step \(step)")
    switch answer {
    case .held(let reservation):
      covered.insert(reservation.amount < amount ? "fitted" : "held")
      open.append(reservation.id)
    case .denied: covered.insert("denied")
    case .deferred: covered.insert("deferred")
    default: faults.append("\(answer) in step \(step)")
    }
  }

  private mutating func settle(_ step: Int) {
    guard !open.isEmpty else { return }
    let id = open.remove(at: random.below(open.count))
    let (slots, closely) = charged()
    let cost = Int128(random.below(60_000))
    compare(
      short.record(cost, slots, settling: id, at: time),
      close.record(cost, closely, settling: id, at: time), "settlement of step \(step)")
  }

  private mutating func release(_ step: Int) {
    guard !open.isEmpty else { return }
    let id = open.remove(at: random.below(open.count))
    compare(
      short.engine.release(id, at: time), close.engine.release(id, at: time),
      "release of step \(step)")
  }

  private mutating func record() {
    let name = random.pick(Self.names)
    let cost = Int128(random.below(80_000))
    short.record(cost, tags: [name], at: time)
    close.record(cost, tags: [name], at: time)
  }

  /// The fleet's word on a budget: a ceiling, or what others may take.
  private mutating func claim() {
    let name = random.pick(Self.names)
    // As often nothing: where nothing is kept back either, a budget has no place for it.
    let isNothing = random.chance(0.6)
    let ceiling = random.chance(0.5) ? PicoUSD(pico: Int128(random.below(900_000))) : nil
    let others = PicoUSD(pico: Int128(random.below(100_000)))
    let isTight = random.chance(0.3)
    for engine in [short.engine, close.engine] {
      let budget = NameBytes.with(name) { engine.catalog.budget(.tag, $0) }
      guard let budget else { continue }
      engine.changeClaims(of: budget, at: time) { use, claims in
        claims = SlotClaims()
        if isNothing { return }
        (claims.ceiling, claims.windowStart) = (ceiling, use.windowStart)
        (claims.others, claims.isTight) = (others, isTight)
      }
    }
  }
}
