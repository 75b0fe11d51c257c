import BudgetEngine
import BudgetModel

/// What came out of a step, as JSON shaped like the trace's `expect`.
enum StepResult {
  case filter(FilterResult)
  case budgets([BudgetReport])

  /// Which candidates were left, and the text where none was.
  struct FilterResult {
    var allowed: [String]
    /// LiteLLM's text; nil unless every candidate was over budget.
    var message: String?
  }

  /// The result as JSON.
  var json: JSONText {
    switch self {
    case .filter(let result):
      .object([
        ("allowed", .array(result.allowed.map { .string($0) })),
        ("exhausted", .bool(result.message != nil)),
        ("message", result.message.map { .string($0) } ?? .null),
      ])
    case .budgets(let reports):
      .object(
        reports.map { report in
          (
            report.key.name,
            .object([
              ("budget_limit", report.limit.map { .number($0.dollars) } ?? .null),
              ("time_period", .string(report.key.windowText)),
              ("spend", .number(report.spend.dollars)),
              (
                "budget_reset_at",
                report.resetsAt.map { .string($0.pythonISOFormat) } ?? .null
              ),
            ])
          )
        })
    }
  }
}
