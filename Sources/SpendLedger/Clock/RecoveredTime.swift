public import BudgetModel

/// The fleet time at a start, and where it was taken from.
public struct RecoveredTime: Equatable, Sendable {
  /// Where the time was taken from.
  public enum Source: Equatable, Sendable {
    /// The wall clock: there was nothing to compare it with.
    case firstStart
    /// The stored time and what has passed since by the machine's own clock.
    case sameBoot
    /// The wall clock, which is later than the stored time.
    case wallClock
    /// The stored time: the wall clock lies before it, by so much.
    case clamped(milliseconds: Int64)
  }

  /// The fleet time at the reading.
  public var time: Timestamp
  /// The reading it was recovered at: later times are `time` plus what has passed by its boottime.
  public var reading: ClockReading
  /// Where it was taken from.
  public var source: Source

  /// Makes a recovered time.
  public init(time: Timestamp, reading: ClockReading, source: Source) {
    self.time = time
    self.reading = reading
    self.source = source
  }
}
