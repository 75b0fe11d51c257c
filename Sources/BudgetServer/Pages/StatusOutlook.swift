import BudgetEngine
import BudgetModel

/// What is about to happen, over all budgets: how many are near their limit, and which runs out next.
struct StatusOutlook {
  /// Budgets that are not exhausted and have at least `nearRatio` of their limit spent.
  let near: Int
  /// Budgets that run out before their reset at the rate at which they are charged.
  let soon: Int
  /// The first of them, and when.
  let next: (key: BudgetKey, at: Timestamp)?
  /// Whether any rate is known: after a start it takes a minute.
  let areRatesKnown: Bool

  /// From here on a budget is near its limit.
  static let nearRatio = 0.8

  /// `rates` lie at the positions of `reports`.
  init(reports: [BudgetReport], rates: [SpendSampler.Rate?], now: Timestamp) {
    var (near, soon, areRatesKnown) = (0, 0, false)
    var next: (key: BudgetKey, at: Timestamp)?
    for (report, rate) in zip(reports, rates) {
      if rate != nil { areRatesKnown = true }
      guard report.limit != nil, !report.isExhausted else { continue }
      if let ratio = StatusBudget.usedRatio(report), ratio >= Self.nearRatio { near += 1 }
      guard let at = Projection.exhaustion(remaining: report.remaining, rate: rate, at: now),
        let resetsAt = report.resetsAt, at <= resetsAt
      else { continue }
      soon += 1
      if next.map({ at < $0.at }) ?? true { next = (report.key, at) }
    }
    (self.near, self.soon, self.next, self.areRatesKnown) = (near, soon, next, areRatesKnown)
  }

  func append(to text: inout JSONText) {
    text.object("outlook") { text in
      text.add("near", near)
      text.add("exhausts_before_reset", soon)
      text.add("rates_known", areRatesKnown)
      guard let next else { return text.add("next", nil as String?) }
      text.object("next") { text in
        text.add("scope", next.key.scope.description)
        text.add("name", next.key.name)
        text.add("window", next.key.windowText)
        text.add("exhausts_at", next.at)
      }
    }
  }
}
