import BudgetModel

/// An instant on the monotonic clock that something has to be done by.
struct Deadline {
  /// The time allowed when it was set, for messages.
  let allowance: Duration
  private let instant: ContinuousClock.Instant

  /// `allowance` from now.
  init(in allowance: Duration) {
    self.allowance = allowance
    instant = .now + allowance
  }

  private init(allowance: Duration, instant: ContinuousClock.Instant) {
    self.allowance = allowance
    self.instant = instant
  }

  /// The earlier of the two.
  static func earlier(_ one: Deadline, _ other: Deadline) -> Deadline {
    one.instant <= other.instant ? one : other
  }

  /// The time left, rounded up to whole milliseconds; 0: it has passed.
  var millisecondsLeft: Int32 {
    let left = ContinuousClock.Instant.now.duration(to: instant)
    guard left > .zero else { return 0 }
    return Int32(clamping: min(left.wholeMilliseconds, Int64(Int32.max)) + 1)
  }

  /// Whether it has passed.
  var hasPassed: Bool { ContinuousClock.Instant.now >= instant }
}
