/// An instant of fleet time, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Windows are measured in it. Timeouts are not: they use monotonic time.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Milliseconds since the Unix epoch, UTC, without leap seconds.
  public var unixMilliseconds: Int64

  /// Makes the instant that lies `unixMilliseconds` after the Unix epoch.
  @inlinable public init(unixMilliseconds: Int64) { self.unixMilliseconds = unixMilliseconds }

  /// The last instant that a window may end at: 9999-12-31T23:59:59.999Z. Longer windows end here.
  public static let latest = Timestamp(unixMilliseconds: 253_402_300_799_999)

  /// Whether `left` lies before `right`.
  @inlinable public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.unixMilliseconds < right.unixMilliseconds
  }
}

extension Timestamp {
  /// The same instant on another clock: `here` on the one is `there` on the other.
  public func moved(from here: Timestamp, to there: Timestamp) -> Timestamp {
    let moved =
      Int128(unixMilliseconds) + Int128(there.unixMilliseconds) - Int128(here.unixMilliseconds)
    return Timestamp(unixMilliseconds: Int64(clamping: moved))
  }
}

/// The source of fleet time. The engine never asks it: callers read it once per request, or
/// once per commit batch, and pass the instant on.
public protocol TimeSource: Sendable {
  /// The fleet time now. Never runs backwards within one process.
  func now() -> Timestamp

  /// This host's wall clock now, as it is set at this moment: it may jump. Times that callers bear
  /// with them, in their keys, are of such clocks.
  func wall() -> Timestamp
}
