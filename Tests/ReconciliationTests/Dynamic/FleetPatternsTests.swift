import BudgetModel
import SeededRandom
import Testing

@testable import Reconciliation

/// Which pattern gives a name its budget.
@Suite struct FleetPatternsTests {
  private func pattern(_ scope: BudgetScope, _ prefix: String, _ window: String) -> FleetPattern {
    FleetPattern(
      BudgetPattern(
        key: BudgetKey(scope: scope, name: prefix + "*", windowText: window),
        rule: .rolling(.seconds(60)), policy: BudgetPolicy(limit: nil)))
  }

  /// The longest one that begins the name, of the same scope and window.
  @Test(arguments: 0..<50) func theLongestIsFound(round: Int) {
    var random = SeededRandom(seed: UInt64(round))
    func text(_ most: Int) -> String {
      String((0..<random.below(most)).map { _ in random.chance(0.5) ? "a" : "é" })
    }
    let scopes: [BudgetScope] = [.tag, .provider]
    var patterns: [FleetPattern] = []
    for _ in 0..<random.below(12) {
      let new = pattern(scopes[random.below(2)], text(5), ["1m", "60s"][random.below(2)])
      if !patterns.contains(new) { patterns.append(new) }
    }
    let index = FleetPatterns(patterns)
    for _ in 0..<200 {
      let key = BudgetKey(
        scope: scopes[random.below(2)], name: text(8), windowText: ["1m", "60s"][random.below(2)])
      if key.name.isEmpty { continue }
      let given = patterns.indices.filter {
        patterns[$0].scope == key.scope && patterns[$0].windowText == key.windowText
          && key.name.utf8.starts(with: patterns[$0].prefix.utf8)
      }
      let longest = given.max {
        patterns[$0].prefix.utf8.count < patterns[$1].prefix.utf8.count
      }
      #expect(index.number(of: key).map { Int($0) } == longest, "seed \(round)")
    }
  }
}
