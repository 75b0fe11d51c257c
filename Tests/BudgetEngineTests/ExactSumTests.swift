import BudgetEngine
import BudgetModel
import Foundation
import SeededRandom
import Testing

/// Sums held against big decimals, which are exact to 38 digits.
@Suite struct ExactSumTests {
  @Test func aMillionRandomCostsOverSeveralWindowsAddUpExactly() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let names = (0..<50).map { "d\($0)" }
    let fixture = EngineFixture(
      try names.map { try budget(.deployment, $0, nil, "100s") })
    let slots = names.map { fixture.charged(deployment: $0) }
    var oracle = [Decimal](repeating: 0, count: names.count)
    var opened = [Double](repeating: -1_000, count: names.count)
    var now = 0.0
    for step in 0..<1_000_000 {
      now += Double(random.next() % 2) / 1_000
      let index = Int(random.next() % 50)
      // Costs of every size that a request may have, as the doubles that arrive on the wire.
      let dollars = Double(random.next() % 1_000_000) * pow(10, -Double(random.next() % 12))
      let amount = try PicoUSD(dollars: dollars, atMost: .maximumRecord)
      fixture.engine.record(amount, to: slots[index], at: at(now))
      if Int64((now - opened[index]) * 1_000) > 100_000 {
        opened[index] = Double(Int64(now * 1_000)) / 1_000
        oracle[index] = 0
      }
      oracle[index] += try #require(Decimal(string: amount.exactText))
      if step % 50_000 == 0 || step == 999_999 {
        for (name, sum) in zip(names, oracle) where sum != 0 {
          let report = try #require(fixture.report(.deployment, name, at: at(now)))
          if report.resetsAt != nil {
            #expect(Decimal(string: report.spend.exactText) == sum, "seed \(seed), step \(step)")
          }
        }
      }
    }
    #expect(now > 300, "several windows have passed")
  }

  @Test func theEdgesAreExact() throws {
    let fixture = EngineFixture([try budget(.provider, "p", nil, "1000w")])
    let charged = fixture.charged(provider: "p")
    var expected: Int128 = 0
    let edges: [Int128] = [
      1, 1 << 53 + 1, 100_001 * 1_000_000_000_000, PicoUSD.maximumRecord.pico,
    ]
    for _ in 0..<100_000 {
      for edge in edges {
        fixture.engine.record(PicoUSD(pico: edge), to: charged, at: at(1))
        expected += edge
      }
    }
    #expect(fixture.report(.provider, "p", at: at(1))?.spend.pico == expected)
  }

  @Test func tenTimesTenCentsReachADollar() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 1_000_000_000_000, "1d")])
    for _ in 0..<9 { fixture.record(100_000_000_000, provider: "p", at: at(1)) }
    #expect(!fixture.filter([("p", "")], at: at(1)).isExhausted)
    fixture.record(100_000_000_000, provider: "p", at: at(1))
    #expect(fixture.filter([("p", "")], at: at(1)).isExhausted)
  }
}
