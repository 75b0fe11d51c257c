import BudgetEngine
public import BudgetModel

/// How a budget goes on if money goes on as fast as over one span of time.
public struct Forecast: Equatable, Sendable {
  /// How fast that is, and over which time it was seen.
  public var rate: SpendPace.Rate
  /// When the limit is reached, within the open window; nil: the window ends before, or there is
  /// nothing to reach.
  public var exhaustsAt: Timestamp?
}

/// The expectations of one budget, by the spans that say something.
public struct Forecasts: Equatable, Sendable {
  /// By the last 15 minutes; nil: too little is known.
  public var quarterHour: Forecast?
  /// By the last 24 hours; nil: too little is known.
  public var day: Forecast?

  /// Nothing is known.
  public init() {}

  /// The forecast by one span.
  public subscript(span: SpendPace.Span) -> Forecast? {
    span == .quarterHour ? quarterHour : day
  }

  /// The forecast that counts where there is one word for it: by the last 15 minutes where these say
  /// something, else by the last 24 hours.
  public var leading: (span: SpendPace.Span, forecast: Forecast)? {
    SpendPace.Span.allCases.lazy.compactMap { span in self[span].map { (span, $0) } }.first
  }

  /// Of the budget that `report` tells of, at `now`; only rates that are steady say something.
  init(_ report: BudgetReport, at now: Timestamp, rate: (SpendPace.Span) -> SpendPace.Rate?) {
    func forecast(_ span: SpendPace.Span) -> Forecast? {
      guard let rate = rate(span), rate.isSteady else { return nil }
      return Forecast(rate: rate, exhaustsAt: Self.exhaustion(report, rate, at: now))
    }
    quarterHour = forecast(.quarterHour)
    day = forecast(.day)
  }

  /// When the budget is exhausted at that rate; nil where it is already, has no limit or no open
  /// window, money does not go, or the window ends before.
  static func exhaustion(
    _ report: BudgetReport, _ rate: SpendPace.Rate, at now: Timestamp
  ) -> Timestamp? {
    guard let remaining = report.remaining, remaining > .zero, !report.isExhausted,
      let end = report.resetsAt, rate.dollarsPerSecond > 0
    else { return nil }
    let milliseconds = (remaining.dollars / rate.dollarsPerSecond * 1_000).rounded(.up)
    let left = end.unixMilliseconds - now.unixMilliseconds
    guard milliseconds <= Double(left) else { return nil }
    return Timestamp(unixMilliseconds: now.unixMilliseconds + Int64(milliseconds))
  }
}
