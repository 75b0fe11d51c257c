import BudgetModel

/// When a budget is used up if money goes on as fast as lately.
enum Projection {
  /// Further ahead nothing is said: ten years.
  static let horizonSeconds = 315_576_000.0

  /// Nil where it is used up already, has no limit, money does not go, or not steadily, or it lasts
  /// past the horizon.
  static func exhaustion(
    remaining: PicoUSD?, rate: SpendSampler.Rate?, at now: Timestamp
  ) -> Timestamp? {
    guard let remaining, remaining > .zero, let rate, rate.isSteady,
      rate.dollarsPerSecond > 0
    else { return nil }
    let seconds = remaining.dollars / rate.dollarsPerSecond
    guard seconds <= horizonSeconds else { return nil }
    return Timestamp(
      unixMilliseconds: now.unixMilliseconds + Int64((seconds * 1_000).rounded(.up)))
  }
}
