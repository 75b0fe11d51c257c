/// A unit of the calendar, by the word that configurations use.
public enum CalendarUnit: String, CaseIterable, Hashable, Sendable {
  /// Every full local hour.
  case hour
  /// Every local date.
  case day
  /// From Monday, or from the weekday in `CalendarWindows.firstDay`.
  case week
  /// From the first, or from the day in `CalendarWindows.firstDay`.
  case month
  /// January, April, July and October begin one.
  case quarter
  /// From 1 January, or from the day in `CalendarWindows.firstDay`.
  case year

  /// So many days no window of the unit lasts longer than, in any time zone.
  public var longestDays: Int64 {
    switch self {
    case .hour: 1
    // A date may last two days in a zone that crosses the date line.
    case .day: 3
    case .week: 9
    case .month: 33
    case .quarter: 94
    case .year: 368
    }
  }
}

/// Windows as the calendar of one time zone has them.
///
/// Immutable and shared: a budget's state has a reference.
public final class CalendarWindows: Hashable, Sendable {
  /// How long a window is.
  public let unit: CalendarUnit
  /// Whose local time it is.
  public let zone: ZoneTable
  /// The day that begins a window: of a week 1 (Monday) to 7, of a month, quarter or year 1 to 28 of
  /// its (first) month. 1 for days and hours.
  public let firstDay: Int

  /// Makes the windows of a unit in a zone. Precondition: `firstDay` is in the range above.
  public init(unit: CalendarUnit, zone: ZoneTable, firstDay: Int = 1) {
    precondition(firstDay >= 1 && firstDay <= (unit == .week ? 7 : 28), "a day that every unit has")
    self.unit = unit
    self.zone = zone
    self.firstDay = firstDay
  }

  /// The day that begins a window as configurations write it, `15` or `sunday`; nil: the first.
  public var firstDayText: String? {
    if firstDay == 1 { return nil }
    return unit == .week ? Self.weekdays[firstDay - 1] : "\(firstDay)"
  }

  /// The days of a week by their English names, from Monday.
  public static let weekdays = [
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
  ]

  /// Whether both have the same windows.
  public static func == (left: CalendarWindows, right: CalendarWindows) -> Bool {
    left === right
      || left.unit == right.unit && left.firstDay == right.firstDay && left.zone == right.zone
  }

  /// Feeds what `==` compares, the zone by its name.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(unit)
    hasher.combine(firstDay)
    hasher.combine(ExactText(zone.name))
  }

  /// The window that `now` lies in.
  public func window(at now: Timestamp) -> Window {
    let start = self.start(at: now)
    let next = self.start(after: start)
    return Window(
      start: start,
      end: min(.latest, Timestamp(unixMilliseconds: next.unixMilliseconds - 1)))
  }
}
