import BudgetModel
import SeededRandom
import Testing

@testable import BudgetEngine

/// Costs that are expected of requests.
@Suite struct CostEstimateTests {
  private let catalog = BudgetEngine(
    configuration: BudgetConfiguration(budgets: [], deployments: [], directory: .empty), at: at(0)
  ).catalog

  private func kind(
    _ deployment: String = "", provider: String = "", model: String = ""
  ) -> CostKind {
    NameBytes.with(deployment) { id in
      NameBytes.with(provider) { provider in
        NameBytes.with(model) { model in
          CostKind(of: CandidateNames(id: id, model: model, provider: provider), in: catalog)
        }
      }
    }
  }

  @Test func whatIsNotKnownCostsTwiceTheDefault() {
    let estimates = CostEstimates(PicoUSD(pico: 10_000))
    #expect(!estimates.isAsked)
    let expected = estimates.expected(kind("d", provider: "p"))
    #expect(expected.amount.pico == 20_000 && expected.isEstimated)
    #expect(expected.variance.cushion.pico == 60_000)
    #expect(estimates.isAsked)
  }

  @Test func aColdKindGoesByItsProvider() {
    let estimates = CostEstimates(PicoUSD(pico: 10_000))
    let cost = PicoUSD(pico: 700_000_000)
    for _ in 0..<7 { estimates.learn(cost, of: kind("d", provider: "p")) }
    #expect(estimates.expected(kind("d", provider: "p")).amount.pico == 1_400_000_000)
    #expect(estimates.expected(kind("other", provider: "p")).amount.pico == 1_400_000_000)
    #expect(estimates.expected(kind("d2", provider: "q")).amount.pico == 20_000)
    // The eighth tells enough: no deviation, since all cost the same.
    estimates.learn(cost, of: kind("d", provider: "p"))
    let warm = estimates.expected(kind("d", provider: "p"))
    #expect(warm.amount == cost && warm.variance == .none)
  }

  /// Whether a record is another's retry is known when it is on disk; what it cost is one cost.
  @Test func aRetryTeachesNothing() {
    let estimates = CostEstimates(PicoUSD(pico: 10_000))
    let (kind, cost) = (kind("d", provider: "p"), PicoUSD(pico: 700))
    for _ in 0..<10 { estimates.learn(cost, of: kind, record: 5 << 64 | 1) }
    #expect(estimates.expected(kind).amount.pico == 1_400, "one cost is too few")
    for number in 2..<9 { estimates.learn(cost, of: kind, record: 5 << 64 | UInt128(number)) }
    #expect(estimates.expected(kind).amount.pico == 700)
  }

  @Test func meanAndDeviationAreThoseOfTheCosts() {
    var random = SeededRandom(seed: 3)
    let estimates = CostEstimates(PicoUSD(pico: 10_000))
    let kind = kind(provider: "p", model: "m")
    for _ in 0..<2_000 {
      let dollars = random.chance(0.5) ? 0.01 : 0.03
      estimates.learn(PicoUSD(pico: Int128(dollars * 1e12)), of: kind)
    }
    let expected = estimates.expected(kind)
    #expect((0.015...0.025).contains(expected.amount.dollars))
    #expect((0.021...0.039).contains(expected.variance.cushion.dollars))
    // Another model of the provider is another kind.
    #expect(self.kind(provider: "p", model: "m2") != kind)
    #expect(self.kind(provider: "q", model: "m") != kind)
  }

  @Test func aChangeOfPriceIsFollowed() {
    let estimates = CostEstimates(PicoUSD(pico: 10_000))
    let kind = kind("d")
    for _ in 0..<500 { estimates.learn(PicoUSD(dollars: 1), of: kind) }
    for _ in 0..<150 { estimates.learn(PicoUSD(dollars: 3), of: kind) }
    #expect((2.85...3).contains(estimates.expected(kind).amount.dollars))
  }

  @Test func whatAnEarlierLifeLearnedIsKnown() {
    let before = CostEstimates(PicoUSD(pico: 10_000))
    for number in 0..<100 {
      for _ in 0..<10 { before.learn(PicoUSD(dollars: 2), of: kind("d\(number)")) }
    }
    let learned = before.takeChanged(atMost: .max)
    #expect(learned.count == 100 && before.takeChanged(atMost: .max).isEmpty)
    let after = CostEstimates(PicoUSD(pico: 10_000))
    after.restore(
      learned + [LearnedCost(key: 1, count: 9, mean: .nan, variance: 0)])
    #expect(after.count == 100 && after.isAsked)
    #expect(after.expected(kind("d7")).amount.dollars == 2)
  }

  @Test func theLeastRecentlyUsedGo() {
    let estimates = CostEstimates(PicoUSD(pico: 10_000))
    let known = kind("kept")
    for number in 0..<103_000 {
      estimates.learn(PicoUSD(dollars: 1), of: kind("d\(number)"))
      if number % 500 == 0 { estimates.learn(PicoUSD(dollars: 5), of: known) }
    }
    #expect(estimates.count <= CostEstimates.keyBound)
    #expect(estimates.expected(known).amount.dollars == 5)
  }
}
