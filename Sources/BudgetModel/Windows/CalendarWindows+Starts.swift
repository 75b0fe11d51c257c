/// The beginnings of windows. All of them are on whole seconds, as offsets and their changes are.
///
/// Days and longer: a date begins at the first instant at which the local date is that date or a
/// later one. So a date that a zone left out has no window, and a clock that goes back across
/// midnight does not end the date that had begun. Hours: see `ZoneTable.hourStart(at:)`.
extension CalendarWindows {
  /// The first instant of the window that `now` lies in. An instant past `Timestamp.latest` counts
  /// as that.
  func start(at now: Timestamp) -> Timestamp {
    let second = Self.second(of: now)
    return Self.instant(
      unit == .hour
        ? zone.hourStart(at: second) : firstSecond(ofPeriod: period(at: second)))
  }

  /// The first instant of the window after the one that begins at `start`.
  func start(after start: Timestamp) -> Timestamp {
    let second = Self.second(of: start)
    return Self.instant(
      unit == .hour
        ? zone.hourStart(after: second) : firstSecond(ofPeriod: period(at: second) + 1))
  }

  /// The latest period that has begun.
  private func period(at second: Int64) -> Int64 {
    let localDay = CalendarDate.floorDivide(zone.localSecond(at: second), 86_400).quotient
    var period = period(ofDay: localDay)
    // The clock may have gone back across a border.
    while firstSecond(ofPeriod: period + 1) <= second { period += 1 }
    return period
  }

  private func firstSecond(ofPeriod period: Int64) -> Int64 {
    zone.firstSecond(showing: firstDay(ofPeriod: period) * 86_400)
  }

  /// Periods are numbered; days are counted from 1970-01-01, which was a Thursday.
  private func period(ofDay day: Int64) -> Int64 {
    switch unit {
    case .hour, .day: return day
    case .week: return CalendarDate.floorDivide(day + 4 - Int64(firstDay), 7).quotient
    case .month, .quarter, .year:
      let date = CalendarDate(daysSinceEpoch: day)
      let month = date.year * 12 + date.month - (date.day < Int64(firstDay) ? 2 : 1)
      return CalendarDate.floorDivide(month, months).quotient
    }
  }

  private func firstDay(ofPeriod period: Int64) -> Int64 {
    switch unit {
    case .hour, .day: return period
    case .week: return period * 7 - 4 + Int64(firstDay)
    case .month, .quarter, .year:
      let (year, month) = CalendarDate.floorDivide(period * months, 12)
      return CalendarDate(year: year, month: month + 1, day: Int64(firstDay)).daysSinceEpoch
    }
  }

  private var months: Int64 {
    switch unit {
    case .year: 12
    case .quarter: 3
    default: 1
    }
  }

  private static func second(of instant: Timestamp) -> Int64 {
    CalendarDate.floorDivide(min(instant, .latest).unixMilliseconds, 1_000).quotient
  }

  /// Clamped: the windows of the earliest instants began before 64 bits of milliseconds do.
  private static func instant(_ second: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: Int64(clamping: Int128(second) * 1_000))
  }
}
