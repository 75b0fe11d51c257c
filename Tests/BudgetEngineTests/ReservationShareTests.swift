import BudgetModel
import Testing

@testable import BudgetEngine

/// The shares of several reservations in one budget.
@Suite struct ReservationShareTests {
  /// Means of 100 and deviations of 100 against 1,000: three deviations of the sum of four are 600.
  @Test func theCushionCountsWhereItIsJudged() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 1_000_000, "1d")])
    let charged = fixture.charged(tags: ["t"])
    let estimate = ReservedAmount(
      PicoUSD(pico: 100_000), variance: CostVariance(deviation: PicoUSD(pico: 100_000)),
      isEstimated: true)
    var attempt = ReservationAttempt()
    var answers: [Bool] = []
    for _ in 0..<6 {
      let answer = fixture.reserve(ReservationAsk(estimate), charged, &attempt, at: at(0))
      answers.append(answer != .denied)
    }
    #expect(answers == [true, true, true, true, false, false])
    // Four amounts of 100,000 and their cushion are kept back; the fifth would add more than is left.
    let denial = try #require(attempt.denials.first)
    #expect(denial.reserved.pico == 1_000_000 && denial.spend == denial.reserved)
    #expect(denial.needed?.pico ?? 0 > 100_000)
  }

  /// A settle in the next life takes the part that ends when its own did.
  @Test func aSettleTakesItsOwnPart() throws {
    var settings = ReservationSettings()
    settings.notesHolds = true
    let budgets = [try budget(.provider, "p", 100, "1d")]
    let before = EngineFixture(budgets, reservations: settings)
    let charged = before.charged(provider: "p")
    _ = try #require(before.held(20, charged, ttl: 20_000, at: at(0)))
    let late = try #require(before.held(20, charged, ttl: 50_000, at: at(0)))
    settings.life &+= 1
    let after = EngineFixture(budgets, reservations: settings)
    after.engine.inherit(before.engine.takeChangedHolds(atMost: 10), at: at(1))
    #expect(after.record(5, charged, settling: late.id, at: at(2)) == .inherited)
    #expect(after.reserved(.provider, "p", at: at(2)) == 20)
    after.expire(at: at(21))
    #expect(after.reserved(.provider, "p", at: at(21)) == 0)
  }
}
