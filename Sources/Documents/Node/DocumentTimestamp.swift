/// A date or an instant as YAML has them: Python's `date` and `datetime`.
public struct DocumentTimestamp: Hashable, Sendable {
  /// 1 to 9999.
  public var year: Int
  /// 1 to 12.
  public var month: Int
  /// 1 to 31.
  public var day: Int
  /// Nil: a date.
  public var time: Time?

  /// The time of day, and where on earth.
  public struct Time: Hashable, Sendable {
    /// 0 to 23.
    public var hour: Int
    /// 0 to 59.
    public var minute: Int
    /// 0 to 59.
    public var second: Int
    /// 0 to 999,999.
    public var microsecond: Int
    /// Minutes east of Greenwich, less than a day. Nil: not said.
    public var offsetMinutes: Int?
  }

  /// Whether such a day and time exist.
  var exists: Bool {
    let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard (1...9_999).contains(year), (1...12).contains(month),
      (1...lengths[month - 1]).contains(day)
    else { return false }
    guard let time else { return true }
    return time.hour < 24 && time.minute < 60 && time.second < 60
      && (time.offsetMinutes ?? 0).magnitude < 1_440
  }
}

extension DocumentTimestamp {
  /// The date or instant as Python's `str` shows it: `2024-01-15`, `2024-01-15 10:00:00+02:00`.
  var pythonText: String {
    let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
    guard let time else { return date }
    var text =
      "\(date) \(Self.padded(time.hour, 2)):\(Self.padded(time.minute, 2)):"
      + Self.padded(time.second, 2)
    if time.microsecond > 0 { text += "." + Self.padded(time.microsecond, 6) }
    guard let offset = time.offsetMinutes else { return text }
    let minutes = Int(offset.magnitude)
    return text + (offset < 0 ? "-" : "+")
      + "\(Self.padded(minutes / 60, 2)):\(Self.padded(minutes % 60, 2))"
  }

  /// The date or instant as Python's `repr` shows it: `datetime.date(2024, 1, 15)`.
  var pythonRepresentation: String {
    guard let time else { return "datetime.date(\(year), \(month), \(day))" }
    var parts = [year, month, day, time.hour, time.minute].map { "\($0)" }
    // Python leaves out the seconds where both parts are zero.
    if time.second > 0 || time.microsecond > 0 { parts.append("\(time.second)") }
    if time.microsecond > 0 { parts.append("\(time.microsecond)") }
    if let offset = time.offsetMinutes { parts.append("tzinfo=" + Self.zone(offset)) }
    return "datetime.datetime(\(parts.joined(separator: ", ")))"
  }

  /// The name of Python's class.
  var pythonClass: String { time == nil ? "datetime.date" : "datetime.datetime" }

  private static func zone(_ offset: Int) -> String {
    guard offset != 0 else { return "datetime.timezone.utc" }
    let seconds = offset * 60
    let delta =
      seconds < 0 ? "days=-1, seconds=\(seconds + 86_400)" : "seconds=\(seconds)"
    return "datetime.timezone(datetime.timedelta(\(delta)))"
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
