import BudgetEngine
import BudgetModel
import PrometheusText

extension MetricsPage {
  /// Each budget is looked at once, shard by shard; its samples are of one instant.
  func addBudgets(to text: inout MetricsText, at now: Timestamp) {
    let engine = sources.engine
    let catalog = engine.catalog
    let exported = labels.exported(of: catalog, sources.bounds)
    let standings = Array(
      zip(exported.budgets.map { engine.report(on: $0, at: now) }, exported.labels))
    text.begin("budgetd_budget_limit_dollars", .gauge, "The budget's limit.")
    for (report, labels) in standings { if let limit = report.limit { text.sample(limit, labels) } }
    text.begin(
      "budgetd_budget_spend_dollars", .gauge, "Committed spend in the budget's open window.")
    for (report, labels) in standings { text.sample(report.spend, labels) }
    text.begin(
      "budgetd_budget_remaining_dollars", .gauge,
      "Limit less spend less reservations; negative when overshot.")
    for (report, labels) in standings {
      if let available = report.available { text.sample(available, labels) }
    }
    text.begin("budgetd_budget_reserved_dollars", .gauge, "Held back by reservations.")
    for (report, labels) in standings { text.sample(report.reserved, labels) }
    text.begin(
      "budgetd_budget_reset_timestamp_seconds", .gauge,
      "When the open window ends; absent while none is open.")
    for (report, labels) in standings {
      guard let resetsAt = report.resetsAt else { continue }
      text.sample(milliseconds: resetsAt.unixMilliseconds, labels)
    }
    text.begin("budgetd_budget_exhausted", .gauge, "1 while spend has reached the limit.")
    for (report, labels) in standings { text.sample(report.hasReachedLimit, labels) }
    text.begin(
      "budgetd_budget_charged_dollars_total", .counter,
      "What the budget was charged with since the start, over all windows.")
    for (report, labels) in standings { text.sample(report.charged, labels) }
    text.sample(sources.spend().unbudgeted, BudgetLabels.unknown)
    text.begin(
      "budgetd_budget_denials_total", .counter,
      "Findings by which the budget kept a candidate out, since the start.")
    let denials = sources.denials()
    for (budget, labels) in zip(exported.budgets, exported.labels) {
      text.sample(denials(budget.slot), labels)
    }
    let patterns = DynamicReading(of: engine, in: catalog, at: now).patterns()
    addModes(standings, patterns, in: catalog, to: &text)
    addForecasts(exported.budgets, standings, at: now, to: &text)
    addPatterns(patterns, to: &text)
    addCounts(exported, exhausted(exported, standings.map(\.0), in: catalog, at: now), to: &text)
    text.begin(
      "litellm_provider_remaining_budget_metric", .gauge,
      "Remaining budget for provider - used when you set provider budget limits")
    for (position, labels) in exported.providers {
      let report = standings[position].0
      if let limit = report.limit { text.sample(limit - report.spend, labels) }
    }
  }

  /// Budgets that only watch, and those that are frozen, patterns and names without a budget too:
  /// nothing of the others.
  private func addModes(
    _ standings: [(BudgetReport, LabelSet)], _ patterns: [PatternReport],
    in catalog: BudgetCatalog, to text: inout MetricsText
  ) {
    func labels(_ key: BudgetKey) -> LabelSet {
      LabelSet([
        ("scope", key.scope.description), ("name", key.name), ("window", key.windowText),
      ])
    }
    text.begin(
      "budgetd_budget_shadow_denials_total", .counter,
      "Findings by which a budget that only watches would have denied, since the start.")
    for (report, labels) in standings where report.mode == .shadow {
      text.sample(report.shadowed, labels)
    }
    // An operator may have only some of a pattern's names watch.
    for report in patterns where report.pattern.policy.mode == .shadow || report.shadowed > 0 {
      text.sample(report.shadowed, labels(report.pattern.key))
    }
    text.begin("budgetd_budget_frozen", .gauge, "1 where the budget denies whatever is spent.")
    for (report, labels) in standings where report.mode == .freeze { text.sample(true, labels) }
    for report in patterns where report.pattern.policy.mode == .freeze {
      text.sample(true, labels(report.pattern.key))
    }
    for name in CatalogBudget.frozenNames(in: catalog) {
      text.sample(true, labels(name.definition.key))
    }
  }

  /// Forecasts that say something: the labels end in the span that they are measured over.
  private func addForecasts(
    _ budgets: [CatalogBudget], _ standings: [(BudgetReport, LabelSet)], at now: Timestamp,
    to text: inout MetricsText
  ) {
    let pace = sources.pace.reading
    let spans = SpendPace.Span.allCases.map { ($0, LabelSet([("over", $0.name)])) }
    var known: [(forecast: Forecast, labels: LabelSet)] = []
    for (budget, (report, labels)) in zip(budgets, standings) {
      let forecasts = pace.forecasts(ofSlot: budget.slot, report, at: now)
      for (span, over) in spans {
        if let forecast = forecasts[span] { known.append((forecast, labels.adding(over))) }
      }
    }
    text.begin(
      "budgetd_budget_exhaustion_timestamp_seconds", .gauge,
      "When the limit is reached at the rate of that time, where that is before the reset.")
    for (forecast, labels) in known {
      guard let exhaustsAt = forecast.exhaustsAt else { continue }
      text.sample(milliseconds: exhaustsAt.unixMilliseconds, labels)
    }
    text.begin(
      "budgetd_budget_spend_rate_dollars_per_second", .gauge,
      "How fast money goes, the fleet's, where that is steady enough for a forecast.")
    for (forecast, labels) in known { text.sample(forecast.rate.dollarsPerSecond, labels) }
    text.begin(
      "budgetd_budget_spend_rate_measured_seconds", .gauge,
      "Over how long that rate was measured: less than its time after a start.")
    for (forecast, labels) in known { text.sample(forecast.rate.seconds, labels) }
  }

  /// The dynamic budgets, all of a pattern together: their names are never in metrics.
  private func addPatterns(_ reports: [PatternReport], to text: inout MetricsText) {
    let labels = reports.map { report in
      let key = report.pattern.key
      return LabelSet([
        ("scope", key.scope.description), ("pattern", key.name), ("window", key.windowText),
      ])
    }
    let both = Array(zip(reports, labels))
    text.begin("budgetd_pattern_live", .gauge, "Names that have a budget by the pattern.")
    for (report, labels) in both { text.sample(report.live, labels) }
    text.begin("budgetd_pattern_exhausted", .gauge, "Those whose spend has reached the limit.")
    for (report, labels) in both { text.sample(report.exhausted, labels) }
    text.begin(
      "budgetd_pattern_spend_dollars", .gauge, "Committed spend in their open windows, in all.")
    for (report, labels) in both { text.sample(report.spend, labels) }
    text.begin(
      "budgetd_pattern_overflowed_total", .counter,
      "Charges that found no place and went to the pattern's own budget, since the start.")
    for (report, labels) in both { text.sample(Int(clamping: report.overflowed), labels) }
    text.begin("budgetd_dynamic_budgets", .gauge, "Dynamic budgets that are live.")
    text.sample(sources.engine.dynamicBudgetCount)
    text.begin("budgetd_dynamic_budgets_max", .gauge, "How many may be (--dynamic-budgets).")
    text.sample(sources.engine.dynamicBudgetBound)
  }

  /// How many budgets of each scope are exhausted: of those without samples each is looked at.
  private func exhausted(
    _ exported: BudgetLabels.Exported, _ reports: [BudgetReport], in catalog: BudgetCatalog,
    at now: Timestamp
  ) -> [Int] {
    let engine = sources.engine
    return exported.counts.map { scope, _, omitted in
      omitted == 0
        ? reports.count { $0.key.scope == scope && $0.hasReachedLimit }
        : catalog.budgets(scope).count { engine.report(on: $0, at: now).hasReachedLimit }
    }
  }

  private func addCounts(
    _ exported: BudgetLabels.Exported, _ exhausted: [Int], to text: inout MetricsText
  ) {
    func label(_ scope: BudgetScope) -> LabelSet { LabelSet([("scope", scope.description)]) }
    text.begin("budgetd_budgets", .gauge, "Budgets in force.")
    for count in exported.counts { text.sample(count.inForce, label(count.scope)) }
    text.begin("budgetd_budgets_exhausted", .gauge, "Budgets whose spend has reached the limit.")
    for (count, exhausted) in zip(exported.counts, exhausted) {
      text.sample(exhausted, label(count.scope))
    }
    text.begin(
      "budgetd_budgets_not_exported", .gauge,
      "Budgets in force without samples, for being too many.")
    for count in exported.counts { text.sample(count.omitted, label(count.scope)) }
  }
}
