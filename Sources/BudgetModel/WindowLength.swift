/// How long a budget's window lasts, measured from the instant at which it opened.
public enum WindowLength: Hashable, Sendable {
  /// A fixed number of seconds, at least 1. More than 64 bits hold end past `Timestamp.latest`.
  case seconds(Int64)
  /// Calendar months in UTC, at least 1: the same day and time that many months later, the day
  /// clipped to the month's length.
  case months(Int64)

  /// The last instant that belongs to a window opened at `start`: windows are closed at their end.
  ///
  /// Past `Timestamp.latest` that instant is the end.
  public func end(ofWindowFrom start: Timestamp) -> Timestamp {
    switch self {
    case .seconds(let seconds):
      let end = Int128(seconds) * 1_000 + Int128(start.unixMilliseconds)
      guard end < Int128(Timestamp.latest.unixMilliseconds) else { return .latest }
      return Timestamp(unixMilliseconds: Int64(end))
    case .months(let months):
      return CalendarDate.instant(start, plusMonths: months)
    }
  }
}
