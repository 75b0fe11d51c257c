/// How long claims last and how long attempts are apart. Follows from how long the receiver may take.
public struct AlertTimes: Hashable, Sendable {
  /// How long the receiver may take to answer.
  public var timeout: Duration

  /// Makes the times of a receiver.
  public init(timeout: Duration) { self.timeout = timeout }

  /// An attempt that was not begun so long after its claim was asked for is not begun any more.
  var beginsWithin: Duration { timeout / 2 }

  /// How long a claim holds: its attempt is over after a quarter of it, and what is left is for telling
  /// the store, which may be slow.
  var lease: Duration { timeout * 6 }

  /// The time between an attempt, by its number from 0, and the next one of whoever made it.
  func pause(after generation: Int) -> Duration {
    min(.seconds(300), .seconds(1) * (1 << min(generation, 20)))
  }

  /// After so many attempts nobody tries again: they take about six hours.
  static let mostAttempts = 80
}
