public import BudgetModel

/// Finds the fleet time at a start, so that it never runs backwards over restarts.
public enum ClockRecovery {
  /// The fleet time at `reading`, given the last time that was stored.
  ///
  /// Within one boot the machine's own clock measures what has passed, whatever was done to the
  /// wall clock. Over a reboot only the wall clock is left: it counts as far as it does not lie
  /// before the stored time. Forward it cannot be told from time that has really passed: windows
  /// end.
  public static func time(after stored: ClockMark?, at reading: ClockReading) -> RecoveredTime {
    guard let stored else {
      return RecoveredTime(time: reading.wall, reading: reading, source: .firstStart)
    }
    // The same boot with less time on its clock is a clone in a time namespace: not comparable.
    if stored.bootID == reading.bootID, !stored.bootID.isEmpty,
      reading.boottimeMilliseconds >= stored.boottimeMilliseconds
    {
      let passed = reading.boottimeMilliseconds - stored.boottimeMilliseconds
      let time = Timestamp(unixMilliseconds: stored.time.unixMilliseconds + passed)
      return RecoveredTime(time: time, reading: reading, source: .sameBoot)
    }
    guard reading.wall < stored.time else {
      return RecoveredTime(time: reading.wall, reading: reading, source: .wallClock)
    }
    let behind = stored.time.unixMilliseconds - reading.wall.unixMilliseconds
    return RecoveredTime(
      time: stored.time, reading: reading, source: .clamped(milliseconds: behind))
  }
}

/// The fleet time at a start, and where it was taken from.
public struct RecoveredTime: Equatable, Sendable {
  /// The source of the time.
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
  /// Its source.
  public var source: Source

  /// The fleet time when the machine has been up for so many milliseconds: reading a large ledger
  /// takes seconds.
  public func time(atBoottime milliseconds: Int64) -> Timestamp {
    let passed = max(0, milliseconds - reading.boottimeMilliseconds)
    return Timestamp(unixMilliseconds: time.unixMilliseconds + passed)
  }

  /// Makes a recovered time.
  public init(time: Timestamp, reading: ClockReading, source: Source) {
    self.time = time
    self.reading = reading
    self.source = source
  }
}
