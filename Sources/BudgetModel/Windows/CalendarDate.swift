/// A day of the proleptic Gregorian calendar, as far as windows and zones need its arithmetic.
package struct CalendarDate: Hashable {
  package var year: Int64
  /// 1 to 12.
  package var month: Int64
  /// 1 to 31.
  package var day: Int64

  static let millisecondsPerDay: Int64 = 86_400_000

  /// The day that lies `days` after 1970-01-01 (negative: before). Counting years from March puts
  /// the leap day last, so that the day number of a month needs no table.
  package init(daysSinceEpoch days: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  package init(year: Int64, month: Int64, day: Int64) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// Days since 1970-01-01, negative before.
  package var daysSinceEpoch: Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// How many days the month has.
  package static func length(ofMonth month: Int64, year: Int64) -> Int64 {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    default: 31
    }
  }

  /// The same time of day, `months` calendar months later; the day clipped to the month's length.
  /// Past `Timestamp.latest`: that.
  static func instant(_ start: Timestamp, plusMonths months: Int64) -> Timestamp {
    let (day, timeOfDay) = floorDivide(start.unixMilliseconds, millisecondsPerDay)
    let date = CalendarDate(daysSinceEpoch: day)
    let (target, overflow) = (date.year * 12 + date.month - 1).addingReportingOverflow(months)
    guard !overflow, target < 10_000 * 12 else { return .latest }
    let (year, monthIndex) = floorDivide(target, 12)
    let month = monthIndex + 1
    let clipped = min(date.day, length(ofMonth: month, year: year))
    let days = CalendarDate(year: year, month: month, day: clipped).daysSinceEpoch
    return Timestamp(unixMilliseconds: days * millisecondsPerDay + timeOfDay)
  }

  /// The quotient rounded down, and what remains, never negative.
  static func floorDivide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
    return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
  }
}
