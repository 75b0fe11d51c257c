import BudgetModel
import Testing

@testable import BudgetPages

@Suite struct SpendSamplerTests {
  private func at(_ seconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: 1_768_435_200_000 + seconds * 1_000)
  }

  private func dollars(_ dollars: Int64) -> PicoUSD { PicoUSD(dollars: dollars) }

  @Test func aRateNeedsSomeTime() throws {
    var sampler = SpendSampler()
    #expect(sampler.rate(ofSlot: 0, charged: .zero, at: at(0)) == nil)
    sampler.add(.init(at: at(0), charged: [dollars(5)], requests: 100))
    #expect(sampler.rate(ofSlot: 0, charged: dollars(6), at: at(9)) == nil)
    let rate = try #require(sampler.rate(ofSlot: 0, charged: dollars(6), at: at(10)))
    #expect(rate == .init(dollarsPerSecond: 0.1, seconds: 10, isSteady: false))
    #expect(sampler.requestsPerSecond(150, at: at(10)) == 5)
    #expect(sampler.rate(ofSlot: 1, charged: dollars(6), at: at(10)) == nil, "a newer budget")
  }

  @Test func oneLargeRecordIsNoRate() throws {
    var sampler = SpendSampler()
    for second in stride(from: Int64(0), through: 600, by: 60) {
      // A dollar a minute, and 900 at once in the third.
      let spent = dollars(second / 60 + (second > 120 ? 900 : 0))
      sampler.add(.init(at: at(second), charged: [spent], requests: 0))
      guard second >= 180 else { continue }
      let isOver = second > 120 + 300
      let rate = try #require(sampler.rate(ofSlot: 0, charged: spent, at: at(second)))
      #expect(rate.isSteady == isOver, "after \(second) s")
      let ends = Projection.exhaustion(remaining: dollars(100), rate: rate, at: at(second))
      #expect((ends == nil) == !isOver, "after \(second) s")
    }
  }

  @Test func steadyMeansSeveralMinutesOfWhichNoneHasMost() throws {
    func isSteady(_ minutes: [Int64]) throws -> Bool {
      var sampler = SpendSampler()
      var sum: Int64 = 0
      sampler.add(.init(at: at(0), charged: [.zero], requests: 0))
      for (minute, amount) in minutes.enumerated() {
        sum += amount
        sampler.add(.init(at: at(60 * Int64(minute + 1)), charged: [dollars(sum)], requests: 0))
      }
      let rate = sampler.rate(
        ofSlot: 0, charged: dollars(sum), at: at(60 * Int64(minutes.count)))
      return try #require(rate).isSteady
    }
    #expect(try isSteady([1, 1, 1]) && isSteady([0, 0, 0]) && isSteady([3, 3, 1, 0, 2]))
    #expect(try isSteady([1, 3, 2]), "half of it, and no more")
    #expect(try !isSteady([1, 1]) && !isSteady([0, 0, 9]) && !isSteady([1, 4, 2]))
    #expect(try !isSteady([0, 5, 5, 0, 0]))
  }

  @Test func aRateIsOfTheLastFiveMinutes() throws {
    var sampler = SpendSampler()
    // A dollar a second for ten minutes, then nothing.
    for minute in 0...10 {
      let second = Int64(minute) * 60
      sampler.add(.init(at: at(second), charged: [dollars(second)], requests: 0))
    }
    #expect(sampler.points.count == 6)
    #expect(sampler.points.first?.at == at(300))
    #expect(
      sampler.rate(ofSlot: 0, charged: dollars(600), at: at(600))
        == .init(dollarsPerSecond: 1, seconds: 300))
    #expect(
      sampler.rate(ofSlot: 0, charged: dollars(600), at: at(630))
        == .init(dollarsPerSecond: 240.0 / 270, seconds: 270))
    #expect(
      sampler.rate(ofSlot: 0, charged: dollars(600), at: at(890))
        == .init(dollarsPerSecond: 0, seconds: 290))
    #expect(sampler.rate(ofSlot: 0, charged: dollars(600), at: at(1_000)) == nil)
  }

  @Test func whatWasNotInForceOrBelongedToAnotherBudgetHasNoRate() {
    var sampler = SpendSampler()
    let unknown = SpendSampler.Point.unknown
    sampler.add(.init(at: at(0), charged: [dollars(5), dollars(5), unknown], requests: 0))
    sampler.forget([1, 9])
    #expect(sampler.rate(ofSlot: 0, charged: dollars(5), at: at(60))?.dollarsPerSecond == 0)
    #expect(sampler.rate(ofSlot: 1, charged: .zero, at: at(60)) == nil, "another's 5 dollars")
    #expect(sampler.rate(ofSlot: 2, charged: dollars(900), at: at(60)) == nil, "back in force")
    sampler.add(.init(at: at(60), charged: [dollars(5), .zero, dollars(900)], requests: 0))
    #expect(sampler.rate(ofSlot: 1, charged: dollars(6), at: at(120))?.dollarsPerSecond == 0.1)
    #expect(sampler.rate(ofSlot: 2, charged: dollars(900), at: at(120))?.dollarsPerSecond == 0)
  }

  @Test func pointsStayFew() {
    var sampler = SpendSampler()
    for second in 0..<10_000 {
      sampler.add(.init(at: at(Int64(second)), charged: [], requests: 0))
      #expect(sampler.points.count <= 301)
    }
    sampler.add(.init(at: at(9_999), charged: [dollars(1)], requests: 0))
    #expect(sampler.points.count { $0.at == at(9_999) } == 1)
  }

  @Test func exhaustionIsProjected() {
    let rate = SpendSampler.Rate(dollarsPerSecond: 0.5, seconds: 60)
    #expect(Projection.exhaustion(remaining: dollars(30), rate: rate, at: at(0)) == at(60))
    for remaining in [nil, PicoUSD.zero, dollars(-1)] {
      #expect(Projection.exhaustion(remaining: remaining, rate: rate, at: at(0)) == nil)
    }
    #expect(Projection.exhaustion(remaining: dollars(1), rate: nil, at: at(0)) == nil)
    let none = SpendSampler.Rate(dollarsPerSecond: 0, seconds: 60)
    #expect(Projection.exhaustion(remaining: dollars(1), rate: none, at: at(0)) == nil)
    let slow = SpendSampler.Rate(dollarsPerSecond: 1e-12, seconds: 60)
    #expect(
      Projection.exhaustion(remaining: .maximumLimit, rate: slow, at: at(0)) == nil,
      "past the horizon")
    let fast = SpendSampler.Rate(dollarsPerSecond: 1e9, seconds: 60)
    #expect(
      Projection.exhaustion(remaining: PicoUSD(pico: 1), rate: fast, at: at(0))
        == Timestamp(unixMilliseconds: at(0).unixMilliseconds + 1), "never now")
  }
}
