import BudgetEngine
import BudgetModel
import JSONWriting

/// How all budgets stand and which is next to run out. A page lists only some of them: what it
/// says of the others must come from here.
struct StatusOutlook {
  /// The budgets of one scope.
  struct Counts: Equatable {
    var budgets = 0
    /// Whose limit was reached by what was spent.
    var exhausted = 0
    /// Of these budgets, those that are frozen: whatever they have spent, they deny.
    var frozen = 0
    /// Names that are frozen and have no budget.
    var frozenNames = 0
    /// Of a limit of 0, with nothing spent: meant to deny.
    var closed = 0
    /// Not exhausted, but nearly.
    var near = 0
    /// Run out before their reset, as fast as money goes now.
    var runningOut = 0
    /// Neither exhausted nor unlimited, and too little is known to tell how fast money goes.
    var rateUnknown = 0
  }

  /// By scope, in the order of `BudgetScope.allCases`.
  private(set) var counts = BudgetScope.allCases.map { _ in Counts() }
  /// The first to run out before its reset; among equals the one configured first.
  private(set) var next: (key: BudgetKey, exhaustsAt: Timestamp)?

  /// `forecasts` is asked for positions in `reports`, and only where it matters. `frozenNames` have no
  /// budgets.
  init(
    _ reports: [BudgetReport], frozenNames: [BudgetReport] = [], forecasts: (Int) -> Forecasts
  ) {
    for name in frozenNames { counts[Int(name.key.scope.rawValue) - 1].frozenNames += 1 }
    for (index, report) in reports.enumerated() {
      let scope = Int(report.key.scope.rawValue) - 1
      counts[scope].budgets += 1
      if report.mode == .freeze {
        counts[scope].frozen += 1
        continue
      }
      if StatusBudget.isClosed(report) {
        counts[scope].closed += 1
        continue
      }
      if report.denies {
        counts[scope].exhausted += 1
        continue
      }
      guard report.limit != nil, !report.isExhausted else { continue }
      if StatusBudget.isNear(report) { counts[scope].near += 1 }
      guard let leading = forecasts(index).leading else {
        counts[scope].rateUnknown += 1
        continue
      }
      guard let exhaustsAt = leading.forecast.exhaustsAt else { continue }
      counts[scope].runningOut += 1
      if next.map({ exhaustsAt < $0.exhaustsAt }) ?? true { next = (report.key, exhaustsAt) }
    }
  }

  func append(to text: inout JSONText) {
    text.object("counts") { text in
      for (scope, counts) in zip(BudgetScope.allCases, counts) {
        text.object(scope.description) { text in
          text.add("budgets", counts.budgets)
          text.add("exhausted", counts.exhausted)
          text.add("frozen", counts.frozen)
          text.add("frozen_names", counts.frozenNames)
          text.add("closed", counts.closed)
          text.add("near", counts.near)
          text.add("running_out", counts.runningOut)
          text.add("rate_unknown", counts.rateUnknown)
        }
      }
    }
    guard let next else { return text.add("next_to_run_out", nil as String?) }
    text.object("next_to_run_out") { text in
      text.add("scope", next.key.scope.description)
      text.add("name", next.key.name)
      text.add("window", next.key.windowText)
      text.add("exhausts_at", next.exhaustsAt)
    }
  }
}
