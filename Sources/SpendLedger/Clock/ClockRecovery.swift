import BudgetModel

/// Finds the fleet time at a start, so that it never runs backwards over restarts.
public enum ClockRecovery {
  /// The fleet time at `reading`, given the last time that was stored.
  ///
  /// Within one boot the machine's own clock measures what has passed, whatever was done to the wall
  /// clock. Over a reboot only the wall clock is left: it counts as far as it does not lie before
  /// the stored time. Forward it cannot be told from time that has really passed: windows end.
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
