/// A stretch of fleet time in which a budget's spend is counted.
public struct Window: Hashable, Sendable {
  /// Its first instant; it names the window.
  public var start: Timestamp
  /// Its last instant: windows are closed at their end.
  public var end: Timestamp

  /// Makes a window from its two borders.
  public init(start: Timestamp, end: Timestamp) {
    self.start = start
    self.end = end
  }

  /// Whether the window has not ended at `now`.
  public func isOpen(at now: Timestamp) -> Bool { now <= end }
}

/// When a budget's windows begin and end.
///
/// Callers ask it two questions, and compute no border themselves.
public enum WindowRule: Hashable, Sendable {
  /// LiteLLM's kind: a window opens with the first charge where none is open, and lasts so long.
  case rolling(WindowLength)
  /// Windows that follow each other without a gap, as a calendar has them: a pure function of time.
  case calendar(CalendarWindows)

  /// The window that a charge at `now` opens where none is open.
  @inlinable
  public func window(at now: Timestamp) -> Window {
    switch self {
    case .rolling(let length): Window(start: now, end: length.end(ofWindowFrom: now))
    case .calendar(let windows): windows.window(at: now)
    }
  }

  /// The first window that can follow one that ended at `end`: of a calendar the next one, else one
  /// that opens the millisecond after.
  public func window(after end: Timestamp) -> Window {
    let next = Timestamp(
      unixMilliseconds: min(end.unixMilliseconds, Timestamp.latest.unixMilliseconds - 1) + 1)
    return window(at: next)
  }

  /// The window that the charges at `now` belong to without any history: the calendar's; nil for
  /// windows that begin with a charge.
  public func standingWindow(at now: Timestamp) -> Window? {
    if case .calendar(let windows) = self { windows.window(at: now) } else { nil }
  }

  /// How many milliseconds a window lasts: by the rule where it begins with a charge, since hosts'
  /// clocks may have its end differ; a calendar's by its borders.
  public func milliseconds(of window: Window) -> Int64 {
    let end = rollingLength?.end(ofWindowFrom: window.start) ?? window.end
    return end.unixMilliseconds - window.start.unixMilliseconds
  }

  /// Whether its windows are shorter than those of `other`, as far as lengths that vary can tell.
  public func isShorter(than other: WindowRule) -> Bool {
    ordinaryMilliseconds < other.ordinaryMilliseconds
  }

  /// The length of a window that begins with 2001, a common year.
  private var ordinaryMilliseconds: Int64 {
    let opened = window(at: Timestamp(unixMilliseconds: 978_307_200_000))
    return opened.end.unixMilliseconds - opened.start.unixMilliseconds
  }

  /// The length of the windows that begin with a charge; nil for a calendar's.
  @inlinable public var rollingLength: WindowLength? {
    if case .rolling(let length) = self { length } else { nil }
  }
}

extension WindowRule {
  /// The rule that a window's text stands for by itself: a calendar's unit in UTC, or a duration as
  /// LiteLLM reads it. Zone and first day are the configuration's affair.
  public init(text: String) throws(WindowLengthError) {
    if let unit = CalendarUnit(rawValue: text) {
      self = .calendar(CalendarWindows(unit: unit, zone: .utc))
    } else {
      self = .rolling(try WindowLength(text: text))
    }
  }
}
