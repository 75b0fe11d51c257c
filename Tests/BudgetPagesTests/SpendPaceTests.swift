import BudgetModel
import SeededRandom
import Testing

@testable import BudgetPages

/// How fast money goes, in time that a test tells.
@Suite struct SpendPaceTests {
  private typealias Reading = SpendPace.Reading

  private func dollars(_ dollars: Int64) -> PicoUSD { PicoUSD(dollars: dollars) }

  private func reading(_ charged: Int64, others: Int64 = 0, start: Int64 = 0) -> Reading {
    Reading(
      charged: dollars(charged), others: dollars(others),
      start: Timestamp(unixMilliseconds: start))
  }

  /// One budget, read each minute; `charged` tells its sum after so many minutes.
  private func pace(minutes: Int, _ charged: (Int) -> Int64) -> SpendPace {
    var pace = SpendPace()
    for minute in 0...minutes {
      pace.read([(0, reading(charged(minute)))], at: .seconds(60 * minute))
    }
    return pace
  }

  private func rate(
    _ pace: SpendPace, _ span: SpendPace.Span, _ charged: Int64, at seconds: Int
  ) -> SpendPace.Rate? {
    pace.rate(span, ofSlot: 0, reading: reading(charged), at: .seconds(seconds))
  }

  @Test func aRateNeedsSomeTime() throws {
    var pace = SpendPace()
    #expect(rate(pace, .quarterHour, 0, at: 60) == nil)
    pace.read([(0, reading(5))], at: .zero)
    #expect(rate(pace, .quarterHour, 6, at: 9) == nil)
    #expect(
      rate(pace, .quarterHour, 6, at: 10)
        == .init(dollarsPerSecond: 0.1, seconds: 10, isSteady: false))
    #expect(
      pace.rate(.quarterHour, ofSlot: 1, reading: reading(6), at: .seconds(10)) == nil,
      "a newer one")
  }

  /// A forecast made of one large record says that money runs out in two seconds.
  @Test func oneLargeRecordIsNoRate() throws {
    // A dollar a minute, and 900 at once in the 21st.
    func sum(_ minute: Int) -> Int64 { Int64(minute) + (minute > 20 ? 900 : 0) }
    for minute in 21...60 {
      let seen = pace(minutes: minute, sum)
      let known = rate(seen, .quarterHour, sum(minute), at: 60 * minute + 1)
      let recent = try #require(known)
      // It is among the last fifteen minutes for as long.
      #expect(recent.isSteady == (minute > 21 + 14), "after \(minute) minutes")
    }
    let whole = rate(pace(minutes: 60, sum), .day, sum(60), at: 3_600)
    let day = try #require(whole)
    #expect(!day.isSteady && day.seconds == 3_600)
  }

  @Test func steadyMeansLongEnoughAndSpread() throws {
    func isSteady(_ minutes: [Int64]) throws -> Bool {
      let sums = minutes.reduce(into: [Int64(0)]) { $0.append(($0.last ?? 0) + $1) }
      let pace = pace(minutes: minutes.count) { sums[$0] }
      let last = sums[minutes.count]
      let known = rate(pace, .quarterHour, last, at: 60 * minutes.count)
      return try #require(known).isSteady
    }
    #expect(
      try isSteady([1, 1, 1, 0, 0]) && isSteady([0, 0, 0, 0, 0]) && isSteady([3, 3, 1, 0, 2]))
    #expect(try isSteady([0, 1, 3, 0, 2]), "half of it, and no more")
    #expect(try !isSteady([1, 1, 1, 1]), "four minutes are too few")
    #expect(try !isSteady([1, 1, 0, 0, 0]) && !isSteady([0, 0, 9, 0, 0]))
    #expect(try !isSteady([1, 4, 2, 0, 0]), "more than half in one")
  }

  @Test func spansCoverTheirTimeAndNoMore() throws {
    // A dollar a minute for a day and a half, then nothing.
    let quiet = 36 * 60
    let pace = pace(minutes: quiet + 30) { Int64(min($0, quiet)) }
    let now = 60 * (quiet + 30)
    let known = rate(pace, .quarterHour, Int64(quiet), at: now)
    let recent = try #require(known)
    #expect(recent == .init(dollarsPerSecond: 0, seconds: 900))
    let whole = rate(pace, .day, Int64(quiet), at: now)
    let day = try #require(whole)
    #expect(day.isSteady && (86_400...90_000).contains(day.seconds))
    #expect(abs(day.dollarsPerSecond * day.seconds - (day.seconds / 60 - 30)) < 1e-3)
  }

  /// A rate is of what was charged in the time that it tells, whenever readings come.
  @Test(arguments: 0..<20)
  func aRateTimesItsTimeIsWhatWasCharged(round: Int) throws {
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    var pace = SpendPace()
    var charges: [(at: Duration, sum: Int64)] = []
    var (now, sum, others, start) = (Duration.zero, Int64(0), Int64(0), Int64(0))
    var total: Int64 = 0
    let first = Duration.seconds(Int.random(in: 0...5_000, using: &random))
    for _ in 0..<2_000 {
      now += .seconds(Int.random(in: 57...90, using: &random))
      let (own, theirs) = (
        Int64.random(in: 0...9, using: &random), Int64.random(in: 0...5, using: &random)
      )
      sum += own
      if Int.random(in: 0..<50, using: &random) == 0 { (start, others) = (start + 1, 0) }
      others += theirs
      total += own + theirs
      charges.append((now, total))
      guard now >= first else { continue }
      pace.read([(7, reading(sum, others: others, start: start))], at: now)
      let later = now + .seconds(Int.random(in: 11...50, using: &random))
      for span in SpendPace.Span.allCases {
        guard
          let rate = pace.rate(
            span, ofSlot: 7, reading: reading(sum, others: others, start: start), at: later)
        else {
          Issue.record("seed \(random.seed)")
          return
        }
        let from = later - .nanoseconds(Int64((rate.seconds * 1e9).rounded()))
        let before = charges.last { $0.at <= from }?.sum ?? 0
        let wanted = Double(total - before)
        #expect(
          abs(rate.dollarsPerSecond * rate.seconds - wanted) <= 1e-3 * max(1, wanted),
          "seed \(random.seed), \(span.name) at \(now)")
        let most = Double((span.bucket * span.buckets).nanoseconds) / 1e9 * 1.6
        #expect(rate.seconds <= most, "seed \(random.seed)")
      }
    }
  }

  @Test func othersSpendCountsAndANewWindowIsNotLess() throws {
    var pace = SpendPace()
    pace.read([(0, reading(10, others: 500, start: 1))], at: .zero)
    // Others had spent 500 before this node knew of them: that is not a charge of these minutes.
    pace.read([(0, reading(11, others: 504, start: 1))], at: .seconds(60))
    pace.read([(0, reading(12, others: 3, start: 2))], at: .seconds(120))
    pace.read([(0, reading(12, others: 2, start: 2))], at: .seconds(180))
    let rate = try #require(
      pace.rate(
        .quarterHour, ofSlot: 0, reading: reading(12, others: 2, start: 2), at: .seconds(180)))
    #expect(abs(rate.dollarsPerSecond * 180 - 9) < 1e-4)
  }

  @Test func budgetsThatAreGoneOrAnothersAreForgotten() {
    var pace = SpendPace()
    pace.read([(0, reading(5)), (1, reading(5)), (2, reading(5))], at: .zero)
    pace.read([(0, reading(6)), (1, reading(6)), (2, reading(5))], at: .seconds(60))
    #expect(pace.count == 3 && pace.chargedCount == 2, "who was never charged takes no buckets")
    pace.forget([1, 9])
    #expect(pace.count == 2 && pace.chargedCount == 1)
    func rate(_ slot: Int32) -> Double? {
      pace.rate(.quarterHour, ofSlot: slot, reading: reading(6), at: .seconds(120))?
        .dollarsPerSecond
    }
    #expect(rate(1) == nil && rate(0) != nil)
    // Its buckets serve the next one, empty.
    pace.read([(0, reading(6)), (3, reading(900))], at: .seconds(60))
    #expect(pace.count == 2 && pace.chargedCount == 1)
    pace.read([(0, reading(6)), (3, reading(900))], at: .seconds(120))
    #expect(
      pace.rate(.quarterHour, ofSlot: 3, reading: reading(900), at: .seconds(130))?
        .dollarsPerSecond == 0)
    pace.read([(0, reading(6)), (3, reading(901))], at: .seconds(180))
    #expect(pace.chargedCount == 2)
    pace.read([], at: .seconds(240))
    #expect(pace.count == 0 && pace.chargedCount == 0)
  }

  @Test func requestsAreOfTheLastFiveMinutes() throws {
    var pace = RequestPace()
    #expect(pace.perSecond(5, at: .seconds(60)) == nil)
    for minute in 0...10 { pace.add(100 * minute, at: .seconds(60 * minute)) }
    #expect(pace.perSecond(1_000, at: .seconds(600)) == 500 / 300.0)
    #expect(pace.perSecond(1_060, at: .seconds(630)) == 460 / 270.0)
    #expect(pace.perSecond(1_000, at: .seconds(9_999)) == nil)
  }
}
