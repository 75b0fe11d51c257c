import BudgetEngine
import BudgetModel
import Documents
import JSONWriting
import LiteLLMConfig

/// The result of a step, as JSON shaped like the trace's `expect`.
enum StepResult {
  case filter(FilterResult)
  case reserve(ReserveResult)
  case budgets([BudgetReport])

  /// Which candidates were left, and the text where none was.
  struct FilterResult {
    var allowed: [String]
    /// LiteLLM's text; nil unless every candidate was over budget.
    var message: String?
  }

  /// The candidate that was chosen, and what is held for it; or the text where none was.
  struct ReserveResult {
    /// Its id; nil: nothing is held.
    var chosen: String?
    var reserved = PicoUSD.zero
    /// As that of a filter.
    var message: String?
  }

  /// The result as JSON.
  var json: JSONValue {
    switch self {
    case .filter(let result):
      .object([
        ("allowed", .array(result.allowed.map { .string($0) })),
        ("exhausted", .bool(result.message != nil)),
        ("message", result.message.map { .string($0) } ?? .null),
      ])
    case .reserve(let result):
      .object([
        ("chosen", result.chosen.map { .string($0) } ?? .null),
        ("reserved_usd", .number(result.reserved.dollars)),
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

/// Holds a result against what the trace expects.
enum StepCheck {
  /// How the two differ; empty where they agree.
  static func differences(
    _ result: StepResult.FilterResult, _ action: Scenario.FilterAction
  ) -> [String] {
    guard let expected = action.expected else { return [] }
    var differences: [String] = []
    let allowed = (expected["allowed"]?.sequence ?? []).compactMap(\.text)
    if allowed != result.allowed {
      differences.append("allowed \(result.allowed), expected \(allowed)")
    }
    let isExhausted = result.message != nil
    if let wanted = expected["exhausted"]?.bool, wanted != isExhausted {
      differences.append("exhausted \(isExhausted), expected \(wanted)")
    }
    let message = expected["message_fixed"]?.text ?? expected["message"]?.text
    if action.anyMessage {
      if result.message == nil { differences.append("no message, expected one") }
    } else if message != result.message {
      differences.append(
        "message \(describe(result.message)), expected \(describe(message))")
    }
    return differences
  }

  /// How the two differ; empty where they agree.
  static func differences(
    _ result: StepResult.ReserveResult, _ action: Scenario.FilterAction
  ) -> [String] {
    guard let expected = action.expected else { return [] }
    var differences: [String] = []
    let chosen = expected["chosen"]?.text
    if chosen != result.chosen {
      differences.append("chosen \(describe(result.chosen)), expected \(describe(chosen))")
    }
    let message = expected["message"]?.text
    if action.anyMessage {
      if result.message == nil { differences.append("no message, expected one") }
    } else if message != result.message {
      differences.append("message \(describe(result.message)), expected \(describe(message))")
    }
    return differences
  }

  /// How the two differ; empty where they agree. Amounts to a relative 10⁻¹², the reset to 1 s:
  /// LiteLLM's answers come from doubles and from Redis' whole seconds.
  static func differences(_ reports: [BudgetReport], _ expected: DocumentNode?) -> [String] {
    guard let entries = expected?.mapping?.entries else { return [] }
    var differences: [String] = []
    let names = entries.compactMap(\.key.text)
    if Set(names) != Set(reports.map(\.key.name)) {
      differences.append("budgets \(reports.map(\.key.name)), expected \(names)")
    }
    for report in reports {
      guard let expected = expected?[report.key.name] else { continue }
      func differs(_ what: String, _ is: String, _ wanted: DocumentNode?) {
        differences.append("\(report.key.name): \(what) \(`is`), expected \(describe(wanted))")
      }
      let limit = report.limit?.dollars
      // LiteLLM shows a limit that was configured as text as that text.
      let wantedLimit = expected["budget_limit"].flatMap {
        $0.number ?? $0.text.flatMap(Double.init)
      }
      if !agree(limit, wantedLimit) {
        differs("budget_limit", limit.map(\.pythonText) ?? "null", expected["budget_limit"])
      }
      if report.key.windowText != expected["time_period"]?.text {
        differs("time_period", report.key.windowText, expected["time_period"])
      }
      if !agree(report.spend.dollars, expected["spend"]?.number) {
        differs("spend", report.spend.dollars.pythonText, expected["spend"])
      }
      let resetsAt = expected["budget_reset_at"]?.text.flatMap { Timestamp(iso8601: $0) }
      if !agree(report.resetsAt, resetsAt) {
        differs(
          "budget_reset_at", report.resetsAt?.pythonISOFormat ?? "null",
          expected["budget_reset_at"])
      }
    }
    return differences
  }

  private static func agree(_ left: Double?, _ right: Double?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return abs(left - right) <= 1e-12 * max(abs(left), abs(right))
  }

  private static func agree(_ left: Timestamp?, _ right: Timestamp?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return abs(left.unixMilliseconds - right.unixMilliseconds) <= 1_000
  }

  private static func describe(_ text: String?) -> String {
    text.map { JSONValue.string($0).text(.python) } ?? "none"
  }

  private static func describe(_ node: DocumentNode?) -> String {
    node.map { $0.text ?? $0.number?.pythonText ?? ($0.isNull ? "null" : "another type") } ?? "none"
  }
}
