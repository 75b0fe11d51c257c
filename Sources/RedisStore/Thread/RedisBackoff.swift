/// How long to wait before the next attempt: twice as long each time, with full jitter.
///
/// A value without a clock: whoever waits asks for the next delay.
public struct RedisBackoff: Sendable {
  /// The bound of the first delay.
  public var first = Duration.milliseconds(50)
  /// The bound of every delay.
  public var longest = Duration.seconds(5)
  /// How many attempts failed in a row.
  public private(set) var failures = 0

  /// The standard one.
  public init() {}

  /// The delay after one more failure: at random from 0 to a bound that doubles.
  public mutating func delayAfterFailure(
    using random: inout some RandomNumberGenerator
  ) -> Duration {
    let bound = min(longest, first * (1 << min(failures, 30)))
    failures = min(failures + 1, Int.max - 1)
    let nanoseconds = Int64(bound.seconds * 1e9)
    return .nanoseconds(Int64.random(in: 0...max(0, nanoseconds), using: &random))
  }

  /// An attempt succeeded.
  public mutating func succeeded() { failures = 0 }
}
