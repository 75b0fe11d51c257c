import BudgetAlerts
import BudgetEngine
import BudgetModel
import Locks
import NodeFixture
import Testing

@testable import BudgetPages
@testable import BudgetServer

/// Which budgets are brought to the watch.
@Suite struct AlertLookTests {
  private static func budget(
    _ name: String, limit: Int64?, mode: BudgetMode = .enforce
  ) -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: .provider, name: name, windowText: "1d"),
      rule: .rolling(.seconds(86_400)),
      policy: BudgetPolicy(limit: limit.map { PicoUSD(pico: Int128($0)) }, mode: mode), origin: .own
    )
  }

  private func look(_ fixture: MemberFixture) -> AlertLook {
    AlertLook(fixture.engine, SpendSampling(fixture.engine, fixture.time))
  }

  @Test func thoseThatHaveReachedTheLowestThresholdAreBroughtWithWhatIsSaidOfThem() throws {
    let fixture = try MemberFixture([
      Self.budget("a", limit: 100), Self.budget("b", limit: 100, mode: .shadow),
      Self.budget("c", limit: nil), Self.budget("d", limit: 0), Self.budget("e", limit: 100),
    ])
    var look = look(fixture)
    let now = fixture.time.now()
    #expect(look.nextSlice(reached: 80, forecasts: true, at: now).readings.isEmpty)
    for (name, amount) in [("a", Int128(79)), ("b", 80), ("c", 999), ("d", 1), ("e", 100)] {
      #expect(fixture.record(amount, provider: name))
    }
    let found = look.nextSlice(reached: 80, forecasts: true, at: now)
    #expect(found.endsRound && found.readings.map(\.key.name) == ["b", "d", "e"])
    let reading = found.readings[0]
    #expect(reading.spend == PicoUSD(pico: 80) && reading.limit == PicoUSD(pico: 100))
    #expect(reading.mode == .shadow && !reading.isDynamic)
    let end = Timestamp(unixMilliseconds: now.unixMilliseconds + 86_400_000)
    #expect(reading.window == Window(start: now, end: end))
    #expect(look.nextSlice(reached: nil, forecasts: true, at: now).readings.isEmpty)
    // The window is over.
    let later = Timestamp(unixMilliseconds: end.unixMilliseconds + 1)
    #expect(look.nextSlice(reached: 80, forecasts: false, at: later).readings.isEmpty)
  }

  /// A hundredth of the limit each minute: then it is known when nothing is left.
  @Test func moneyThatWillBeGoneIsBroughtWithTheTimeOfItsEnd() throws {
    let fixture = try MemberFixture([
      Self.budget("a", limit: 1_000), Self.budget("b", limit: 1_000),
    ])
    let uptime = Locked(Duration.zero)
    let pace = SpendSampling(fixture.engine, fixture.time) { uptime.withLock { $0 } }
    pace.sample(requests: 0)
    for _ in 0..<20 {
      #expect(fixture.record(10, provider: "a"))
      fixture.advance(.seconds(60))
      uptime.withLock { $0 += .seconds(60) }
      pace.sample(requests: 0)
    }
    var look = AlertLook(fixture.engine, pace)
    let now = fixture.time.now()
    let found = look.nextSlice(reached: 80, forecasts: true, at: now).readings
    #expect(found.map(\.key.name) == ["a"])
    // 800 are left, at 10 a minute; rates are not exact to the last digit.
    let left = (found[0].runsOutAt?.unixMilliseconds ?? 0) - now.unixMilliseconds
    #expect((4_700_000...4_900_000).contains(left), "\(left)")
    // Forecasts are made each half a minute, and where they are asked for.
    #expect(look.nextSlice(reached: 80, forecasts: true, at: now).readings.isEmpty)
    let later = Timestamp(unixMilliseconds: now.unixMilliseconds + 30_000)
    #expect(look.nextSlice(reached: 80, forecasts: false, at: later).readings.isEmpty)
    let again = look.nextSlice(reached: 80, forecasts: true, at: later)
    #expect(again.readings.count == 1 && again.hasForecasts)
    #expect(!look.nextSlice(reached: 80, forecasts: true, at: later).hasForecasts)
  }

  @Test func manyAreBroughtInSlicesAndNoneTwice() throws {
    let count = AlertLook.slice + 1
    let fixture = try MemberFixture((0..<count).map { Self.budget("p\($0)", limit: 1) })
    #expect(fixture.record(1, provider: "p0") && fixture.record(1, provider: "p\(count - 1)"))
    var look = look(fixture)
    let now = fixture.time.now()
    func next() -> ([String], Bool) {
      let found = look.nextSlice(reached: 100, forecasts: false, at: now)
      return (found.readings.map(\.key.name), found.endsRound)
    }
    for _ in 0..<2 {
      #expect(next() == (["p0"], false))
      #expect(next() == (["p\(count - 1)"], true))
    }
  }
}
