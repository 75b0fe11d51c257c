import BudgetModel
import CAllocationCount
import NodeFixture
import Testing

@testable import BudgetEngine
@testable import BudgetPages

/// Forecasts of budgets.
@Suite struct ForecastTests {
  private static let now = MemberFixture.start

  private static func at(_ seconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: now.unixMilliseconds + seconds * 1_000)
  }

  /// Its window ends in an hour.
  private func report(
    limit: PicoUSD?, spend: Int64 = 0, mode: BudgetMode = .enforce,
    resetsAt: Timestamp? = at(3_600)
  ) -> BudgetReport {
    BudgetReport(
      key: BudgetKey(scope: .tag, name: "t", windowText: "1h"), limit: limit, mode: mode,
      spend: PicoUSD(dollars: spend), ownSpend: .zero, resetsAt: resetsAt, charged: .zero)
  }

  private func exhaustion(_ report: BudgetReport, _ rate: Double) -> Timestamp? {
    Forecasts.exhaustion(report, .init(dollarsPerSecond: rate, seconds: 900), at: Self.now)
  }

  @Test func aLimitIsReachedWithinItsWindowOrNotAtAll() {
    let limit = PicoUSD(dollars: 30)
    #expect(exhaustion(report(limit: limit), 0.5) == Self.at(60))
    #expect(exhaustion(report(limit: limit, spend: 20), 0.5) == Self.at(20))
    #expect(exhaustion(report(limit: limit), 30 / 3_600.0) == Self.at(3_600), "just")
    #expect(exhaustion(report(limit: limit), 30 / 3_601.0) == nil, "its window ends before")
    for rate in [0, 1e-300] { #expect(exhaustion(report(limit: limit), rate) == nil) }
    #expect(exhaustion(report(limit: nil), 1) == nil)
    #expect(exhaustion(report(limit: limit, spend: 30), 1) == nil, "reached already")
    #expect(exhaustion(report(limit: limit, spend: 31), 1) == nil)
    #expect(exhaustion(report(limit: limit, mode: .freeze), 1) == nil)
    #expect(exhaustion(report(limit: limit, resetsAt: nil), 1) == nil, "no window is open")
    #expect(exhaustion(report(limit: limit, resetsAt: Self.at(-1)), 1) == nil)
    #expect(
      exhaustion(report(limit: PicoUSD(pico: 1)), 1e9)
        == Timestamp(unixMilliseconds: Self.now.unixMilliseconds + 1), "never now")
  }

  @Test func onlySteadyRatesSaySomethingAndTheLatestLead() {
    let report = report(limit: PicoUSD(dollars: 30))
    func forecasts(_ recent: SpendPace.Rate?, _ day: SpendPace.Rate?) -> Forecasts {
      Forecasts(report, at: Self.now) { $0 == .quarterHour ? recent : day }
    }
    let steady = SpendPace.Rate(dollarsPerSecond: 0.5, seconds: 900)
    let slow = SpendPace.Rate(dollarsPerSecond: 0.1, seconds: 86_400)
    var burst = steady
    burst.isSteady = false
    #expect(forecasts(nil, nil) == Forecasts() && forecasts(burst, burst) == Forecasts())
    #expect(forecasts(burst, slow).leading?.span == .day)
    #expect(forecasts(burst, slow).leading?.forecast.exhaustsAt == Self.at(300))
    let both = forecasts(steady, slow)
    #expect(both.leading?.span == .quarterHour && both.leading?.forecast.rate == steady)
    #expect(both[.quarterHour]?.exhaustsAt == Self.at(60) && both[.day]?.exhaustsAt == Self.at(300))
    // A quiet quarter of an hour says that the budget lasts.
    let quiet = SpendPace.Rate(dollarsPerSecond: 0, seconds: 900)
    #expect(forecasts(quiet, slow).leading?.forecast.exhaustsAt == nil)
  }

  /// From the engine to a forecast: a budget of a node whose money goes.
  @Test func aNodeReadsItsBudgets() throws {
    let fixture = try PageFixture([
      PageFixture.budget(.provider, "p", 100), PageFixture.budget(.tag, "t", 5),
    ])
    let (engine, time) = (fixture.engine, fixture.time)
    let passed = ManualUptime()
    let sampling = SpendSampling(engine, time, uptime: { passed.now })
    let budget = engine.catalog.budgets(.provider)[0]
    func forecasts() -> Forecasts {
      sampling.reading.forecasts(
        ofSlot: budget.slot, engine.report(on: budget, at: time.now()), at: time.now())
    }
    sampling.sample(requests: 0)
    for minute in 1...10 {
      fixture.charge("p", dollars: 1)
      time.advance(milliseconds: 60_000)
      passed.advance(.seconds(60))
      if minute == 4 { #expect(forecasts() == Forecasts()) }
      sampling.sample(requests: 60 * minute)
    }
    let recent = try #require(forecasts().quarterHour)
    #expect(abs(recent.rate.dollarsPerSecond - 1 / 60.0) < 1e-6 && recent.rate.seconds == 600)
    let left = try #require(recent.exhaustsAt).unixMilliseconds - time.now().unixMilliseconds
    #expect(abs(left - 5_400_000) < 10)
    #expect(forecasts().day == nil)
    #expect(sampling.reading.requestsPerSecond(660) == 1.2)
    sampling.forget([budget.slot])
    #expect(forecasts() == Forecasts())
  }

  /// Paces that somebody is looking at are not copied when the budgets are read: with a million budgets
  /// lanes would wait for that.
  @Test func aLookAtPacesCopiesNothing() throws {
    guard allocation_count_is_available() else { return }
    let count = 4_000
    let fixture = try PageFixture(
      (0..<count).map { try PageFixture.budget(.provider, "p\($0)", 100) })
    let passed = ManualUptime()
    let sampling = SpendSampling(fixture.engine, fixture.time, uptime: { passed.now })
    func sample() {
      for number in 0..<count { fixture.charge("p\(number)", dollars: 1) }
      passed.advance(.seconds(60))
      sampling.sample(requests: 0)
    }
    for _ in 0..<3 { sample() }
    let reading = sampling.reading
    let before = allocated_bytes()
    sample()
    let grown = (allocated_bytes() - before) / count
    withExtendedLifetime(reading) {}
    #expect(grown < 40, "\(grown) bytes a budget more while somebody looks")
  }

  /// Metrics have what says something, with the time that it is measured over.
  @Test func metricsHaveForecastsThatSaySomething() throws {
    var fixture = try PageFixture([
      PageFixture.budget(.provider, "p", 100), PageFixture.budget(.provider, "q", 100),
    ])
    let passed = ManualUptime()
    let sampling = SpendSampling(fixture.engine, fixture.time, uptime: { passed.now })
    fixture.change = { $0.pace = sampling }
    func lines() -> [String] {
      fixture.metrics.filter {
        !$0.hasPrefix("#") && ($0.contains("exhaustion") || $0.contains("spend_rate"))
      }
    }
    sampling.sample(requests: 0)
    #expect(lines().isEmpty, "nothing is known")
    for minute in 1...5 {
      fixture.charge("p", dollars: 2)
      if minute == 2 { fixture.charge("q", dollars: 50) }
      fixture.time.advance(milliseconds: 60_000)
      passed.advance(.seconds(60))
      sampling.sample(requests: 0)
    }
    let labels = #"{scope="provider",name="p",window="1d",over="15m"}"#
    let told = lines()
    #expect(told.contains("budgetd_budget_spend_rate_measured_seconds\(labels) 300.0"))
    // $90 are left at two dollars a minute.
    let ends = fixture.time.now().unixMilliseconds / 1_000 + 45 * 60
    #expect(
      told.contains { $0.hasPrefix("budgetd_budget_exhaustion_timestamp_seconds\(labels) \(ends)") }
    )
    #expect(
      told.contains { $0.hasPrefix("budgetd_budget_spend_rate_dollars_per_second\(labels) 0.033") })
    #expect(told.count == 3, "one large record says nothing, nor do five minutes of a day: \(told)")
  }
}
