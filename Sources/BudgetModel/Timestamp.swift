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
