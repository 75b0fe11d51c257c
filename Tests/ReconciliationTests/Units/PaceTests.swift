import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// When the next pass is due.
@Suite struct PaceTests {
  private static let start: Int64 = 1_000_000

  /// The report on a budget with a limit of 100 $ that went from `before` to `total` in one second,
  /// `left` before its window's end.
  private func report(
    before: Double, total: Double, left: Int64 = 50_000, limit: Int64? = 100
  ) throws -> PassReport {
    let key = BudgetKey(scope: .tag, name: "t", windowText: "100s")
    let keys = RedisKeys(namespace: nil)
    var reconciler = Reconciler(settings: ReconcilerSettings(), keys: keys)
    let budget = FleetBudget(
      key: key, limit: limit.map { PicoUSD(dollars: $0) }, windowLength: .seconds(100))
    var state = BudgetState(
      budget, keys: try #require(BudgetKeys(key, in: keys)), position: 0)
    func at(_ time: Int64) -> Timestamp { Timestamp(unixMilliseconds: time) }
    let now = Self.start + 100_000 - left
    var record = FleetRecord(
      key: key, start: at(Self.start), end: at(Self.start + 100_000), at: at(now))
    record.confirmed = ["o": PicoUSD(pico: 1)]
    state.record = record
    state.total = PicoUSD(pico: Int128(total * 1e12))
    state.rateBase = (PicoUSD(pico: Int128(before * 1e12)), at(now - 1_000))
    reconciler.budgets.states = [state]
    var report = PassReport()
    report.time = at(now)
    reconciler.pace([0], isUrgent: false, &report)
    return report
  }

  @Test func ordinarily() throws {
    let quiet = try report(before: 10, total: 10)
    #expect(quiet.nextPass == .seconds(1) && !quiet.isNextUrgent)
    // A fiftieth of the 90 $ that remain lasts 2 s at 0.45 $ a second.
    let slow = try report(before: 9.6, total: 10)
    #expect(slow.nextPass == .seconds(1) && !slow.isNextUrgent)
    let unlimited = try report(before: 0, total: 90, limit: nil)
    #expect(unlimited.nextPass == .seconds(1) && !unlimited.isNextUrgent)
  }

  @Test func nearALimit() throws {
    // 10 $ remain, 1 $ a second: half of a fiftieth of ten seconds.
    let near = try report(before: 89, total: 90)
    #expect(near.nextPass == .milliseconds(100) && near.isNextUrgent)
    let nearer = try report(before: 89, total: 99)
    #expect(nearer.nextPass == .milliseconds(50) && nearer.isNextUrgent)
    let reached = try report(before: 89, total: 100)
    #expect(reached.nextPass == .seconds(1) && !reached.isNextUrgent)
  }

  @Test func beforeAWindowEnds() throws {
    #expect(try report(before: 10, total: 10, left: 900).nextPass == .milliseconds(700))
    #expect(try report(before: 10, total: 10, left: 201).nextPass == .milliseconds(50))
    #expect(try report(before: 10, total: 10, left: 200).nextPass == .seconds(1))
    #expect(try report(before: 10, total: 10, left: 900).isNextUrgent)
  }
}
