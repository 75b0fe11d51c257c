/// How long a budget's window lasts, measured from the instant at which it opened.
public enum WindowLength: Hashable, Sendable {
  /// A fixed number of seconds, at least 1.
  case seconds(Int128)
  /// Calendar months in UTC, at least 1: the same day and time that many months later, the day
  /// clipped to the month's length.
  case months(Int64)

  /// The last instant that belongs to a window opened at `start`: windows are closed at their end.
  ///
  /// Past `Timestamp.latest` that instant is the end.
  public func end(ofWindowFrom start: Timestamp) -> Timestamp {
    switch self {
    case .seconds(let seconds):
      let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
      guard !overflow else { return .latest }
      let (end, past) = milliseconds.addingReportingOverflow(Int128(start.unixMilliseconds))
      guard !past, end < Int128(Timestamp.latest.unixMilliseconds) else { return .latest }
      return Timestamp(unixMilliseconds: Int64(end))
    case .months(let months):
      return CalendarDate.instant(start, plusMonths: months)
    }
  }
}
