import BudgetEngine
import BudgetModel
import JSONWriting

/// One budget as the status page shows it.
struct StatusBudget {
  let report: BudgetReport
  /// How fast money went in the last minutes, steadily or not; nil: not known.
  let rate: SpendPace.Rate?
  let forecasts: Forecasts
  /// The pattern that owns it; nil: no pattern does.
  var pattern: PatternReport?

  init(_ report: BudgetReport, slot: Int32, _ pace: PaceReading, at now: Timestamp) {
    self.init(
      report, rate: pace.rate(.quarterHour, ofSlot: slot, report),
      pace.forecasts(ofSlot: slot, report, at: now))
  }

  init(_ report: BudgetReport, rate: SpendPace.Rate?, _ forecasts: Forecasts) {
    self.report = report
    self.rate = rate
    self.forecasts = forecasts
  }

  /// The part of the limit that is spent; nil without a limit. A limit of 0 is used up.
  static func usedRatio(_ report: BudgetReport) -> Double? {
    report.limit.map { $0 == .zero ? 1 : report.spend.dollars / $0.dollars }
  }

  /// The part of the limit that is reserved; nil without a limit.
  static func reservedRatio(_ report: BudgetReport) -> Double? {
    report.limit.map { $0 == .zero ? 0 : report.reserved.dollars / $0.dollars }
  }

  /// From this part of its limit on a budget counts as near it.
  static let nearRatio = 0.8

  /// Whether it is meant to give nothing, and has given nothing: its limit is 0. It denies, but it
  /// is not a budget that ran out.
  static func isClosed(_ report: BudgetReport) -> Bool {
    report.limit == .zero && report.spend == .zero && report.mode == .enforce
  }

  /// Whether it is nearly exhausted, and not yet.
  static func isNear(_ report: BudgetReport) -> Bool {
    !report.isExhausted && (usedRatio(report) ?? 0) >= nearRatio
  }

  /// How often it would have denied, where it only watches; nil: it does not. Of a pattern: how often
  /// its names' budgets would have.
  private var shadowed: UInt64? {
    if let pattern {
      return pattern.pattern.policy.mode == .shadow || pattern.shadowed > 0
        ? pattern.shadowed : nil
    }
    return report.mode == .shadow ? report.shadowed : nil
  }

  /// When it is exhausted if money goes on as fast as lately, where that is before its window ends.
  var exhaustsAt: Timestamp? { forecasts.leading?.forecast.exhaustsAt }

  /// Why requests are denied by it.
  static func denial(_ report: BudgetReport) -> String {
    let name = report.key.name
    let what =
      switch report.key.scope {
      case .provider: "every deployment of it is denied"
      case .deployment: "it is denied"
      case .tag: "every request with it is denied"
      case .model: "every deployment of it that costs something is denied"
      case .pool: "every deployment in it that costs something is denied"
      case .total: "everything that costs something is denied"
      }
    if report.mode == .freeze {
      return report.key.scope == .total
        ? "everything is frozen: nothing is allowed until that is lifted"
        : "\(report.key.scope) \(name) is frozen: nothing of it is allowed until that is lifted"
    }
    if isClosed(report) {
      return "\(report.key.scope) \(name): its limit is $0; \(what) until its limit is raised"
    }
    let until = report.resetsAt.map { "until \($0.iso8601)" } ?? "until its limit is raised"
    return
      "\(report.key.scope) \(name): \(report.spend.pageText) of "
      + "\(report.limit?.pageText ?? "") are spent; \(what) \(until)"
  }

  func append(to text: inout JSONText) {
    text.object { text in
      text.add("scope", report.key.scope.description)
      text.add("name", report.key.name)
      text.add("window", report.key.windowText)
      text.add("limit", report.limit)
      text.add("spend", report.spend)
      text.add("reserved", report.reserved)
      text.add("remaining", report.available)
      text.add("used_ratio", Self.usedRatio(report))
      text.add("reserved_ratio", Self.reservedRatio(report))
      text.add("exhausted", report.isExhausted)
      text.add("all_reserved", report.isAllReserved)
      text.add("mode", (pattern?.pattern.policy.mode ?? report.mode).description)
      addPattern(to: &text)
      if let shadowed { text.add("would_have_denied", shadowed) }
      text.add("closed", Self.isClosed(report))
      text.add("began_at_unix_ms", report.startedAt?.unixMilliseconds)
      text.add("resets_at", report.resetsAt)
      text.add("rate_usd_per_second", rate?.dollarsPerSecond)
      text.add("rate_over_seconds", rate?.seconds)
      text.add("rate_is_steady", rate?.isSteady ?? false)
      text.object("forecasts") { text in
        for span in SpendPace.Span.allCases {
          Self.append(forecasts[span], as: span.name, to: &text)
        }
      }
      text.add("exhausts_at", exhaustsAt)
      text.add("exhausts_over", forecasts.leading?.span.name)
      text.add("exhausts_before_reset", forecasts.leading.map { $0.forecast.exhaustsAt != nil })
    }
  }
}

extension StatusBudget {
  /// The pattern's names together; null of other budgets.
  private func addPattern(to text: inout JSONText) {
    guard let pattern else { return text.add("pattern", nil as String?) }
    text.object("pattern") { text in
      text.add("limit", pattern.pattern.policy.limit)
      text.add("live", pattern.live)
      text.add("exhausted", pattern.exhausted)
      text.add("spend", pattern.spend)
    }
  }

  private static func append(
    _ forecast: Forecast?, as name: String, to text: inout JSONText
  ) {
    guard let forecast else { return text.add(name, nil as String?) }
    text.object(name) { text in
      text.add("rate_usd_per_second", forecast.rate.dollarsPerSecond)
      text.add("over_seconds", forecast.rate.seconds)
      text.add("exhausts_at", forecast.exhaustsAt)
    }
  }
}

extension JSONText {
  /// An instant twice: as ISO 8601, and in milliseconds under `<name>_unix_ms`.
  mutating func add(_ name: String, _ instant: Timestamp?) {
    add(name, instant?.iso8601)
    add(name + "_unix_ms", instant?.unixMilliseconds)
  }
}

extension BudgetReport {
  /// Limit less spend and less what is reserved, negative once overshot; nil: unlimited.
  var available: PicoUSD? { limit.map { $0 - spend - reserved } }

  /// Whether it denies for what is reserved, and not for what is spent.
  var isAllReserved: Bool {
    guard let available, reserved > .zero else { return false }
    return available <= .zero && !isExhausted
  }
}
