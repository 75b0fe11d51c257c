extension Timestamp {
  /// The instant in ISO 8601, UTC, to the millisecond: `2026-01-15T00:00:00.000Z`.
  public var iso8601: String { "\(day)T\(timeOfDay).\(Self.padded(millisecond, to: 3))Z" }

  /// The instant as Python's `datetime.isoformat` writes it in UTC: `2026-01-15T00:00:00+00:00`,
  /// with microseconds where they are not zero.
  public var pythonISOFormat: String {
    let fraction = millisecond == 0 ? "" : ".\(Self.padded(millisecond, to: 3))000"
    return "\(day)T\(timeOfDay)\(fraction)+00:00"
  }

  private var millisecond: Int64 { (unixMilliseconds % 1_000 + 1_000) % 1_000 }

  private var millisecondOfDay: Int64 {
    let day = CalendarDate.millisecondsPerDay
    return (unixMilliseconds % day + day) % day
  }

  private var day: String {
    let days = (unixMilliseconds - millisecondOfDay) / CalendarDate.millisecondsPerDay
    let date = CalendarDate(daysSinceEpoch: days)
    return Self.padded(date.year, to: 4) + "-" + Self.padded(date.month, to: 2) + "-"
      + Self.padded(date.day, to: 2)
  }

  private var timeOfDay: String {
    let seconds = millisecondOfDay / 1_000
    return [seconds / 3_600, seconds / 60 % 60, seconds % 60]
      .map { Self.padded($0, to: 2) }.joined(separator: ":")
  }

  private static func padded(_ value: Int64, to width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }

  /// Reads `2026-01-15T00:00:00Z`, with up to nine decimals of a second (those past the
  /// millisecond are dropped) and `Z` or an offset such as `+00:00`. Nil where it is not an instant.
  public init?(iso8601 text: String) {
    var rest = Substring(text)
    func number(_ width: Int, upTo end: Character?) -> Int64? {
      let digits = rest.prefix(width)
      guard digits.count == width, digits.allSatisfy({ ("0"..."9").contains($0) }) else {
        return nil
      }
      rest = rest.dropFirst(width)
      if let end {
        guard rest.first == end else { return nil }
        rest = rest.dropFirst()
      }
      return Int64(digits)
    }
    guard let year = number(4, upTo: "-"), let month = number(2, upTo: "-"),
      let day = number(2, upTo: "T"), let hour = number(2, upTo: ":"),
      let minute = number(2, upTo: ":"), let second = number(2, upTo: nil),
      (1...12).contains(month),
      (1...CalendarDate.length(ofMonth: month, year: year)).contains(day), hour < 24,
      minute < 60, second < 60
    else { return nil }
    var milliseconds: Int64 = 0
    if rest.first == "." {
      let decimals = rest.dropFirst().prefix { ("0"..."9").contains($0) }
      guard (1...9).contains(decimals.count) else { return nil }
      milliseconds = Int64((decimals + "00").prefix(3)) ?? 0
      rest = rest.dropFirst(1 + decimals.count)
    }
    var offsetMinutes: Int64 = 0
    if rest != "Z" {
      guard let sign = rest.first, sign == "+" || sign == "-" else { return nil }
      rest = rest.dropFirst()
      guard let hours = number(2, upTo: ":"), let minutes = number(2, upTo: nil), rest.isEmpty,
        hours < 24, minutes < 60
      else { return nil }
      offsetMinutes = (sign == "-" ? -1 : 1) * (hours * 60 + minutes)
    }
    let days = CalendarDate(year: year, month: month, day: day).daysSinceEpoch
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offsetMinutes * 60
    self.init(unixMilliseconds: seconds * 1_000 + milliseconds)
  }
}
