/// A time zone as a table: when its offset from UTC changes, and to what.
///
/// An adapter reads it from the system's zone files; this module knows none.
public final class ZoneTable: Hashable, Sendable {
  /// An instant from which on the zone has another offset.
  public struct Transition: Hashable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var at: Int64
    /// Seconds that local time is ahead of UTC from then on.
    public var offset: Int32

    /// Makes a transition.
    public init(at: Int64, offset: Int32) {
      self.at = at
      self.offset = offset
    }
  }

  /// The zone's IANA name.
  public let name: String
  /// Seconds ahead of UTC before the first transition.
  public let firstOffset: Int32
  /// All transitions, in order of time.
  public let transitions: [Transition]

  /// No clock is as far from UTC, in seconds: the bound that zone files have (RFC 8536), rounded up.
  public static let offsetBound: Int64 = 26 * 3_600

  /// Makes a zone from its table. Precondition: transitions are in order, and offsets within
  /// `offsetBound`.
  public init(name: String, firstOffset: Int32, transitions: [Transition]) {
    precondition(
      zip(transitions, transitions.dropFirst()).allSatisfy { $0.at < $1.at },
      "transitions come in order")
    precondition(
      ([firstOffset] + transitions.map(\.offset)).allSatisfy { abs(Int64($0)) < Self.offsetBound },
      "a clock is less than 26 hours from UTC")
    self.name = name
    self.firstOffset = firstOffset
    self.transitions = transitions
  }

  /// Coordinated universal time.
  public static let utc = ZoneTable(name: "UTC", firstOffset: 0, transitions: [])

  /// Whether both are the same zone with the same table.
  public static func == (left: ZoneTable, right: ZoneTable) -> Bool {
    left === right
      || ExactText(left.name) == ExactText(right.name) && left.firstOffset == right.firstOffset
        && left.transitions == right.transitions
  }

  /// Feeds the name.
  public func hash(into hasher: inout Hasher) { hasher.combine(ExactText(name)) }
}
