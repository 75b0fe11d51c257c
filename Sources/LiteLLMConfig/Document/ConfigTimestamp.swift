/// A date or an instant as YAML has them: Python's `date` and `datetime`.
public struct ConfigTimestamp: Hashable, Sendable {
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
