public import BudgetModel

/// The operating system's clocks at one instant.
public struct ClockReading: Equatable, Sendable {
  /// The wall clock: it may have been set, forward or back.
  public var wall: Timestamp
  /// Milliseconds since the machine started, asleep or awake.
  public var boottimeMilliseconds: Int64
  /// Which start of the machine that is.
  public var bootID: String

  /// Makes a reading.
  public init(wall: Timestamp, boottimeMilliseconds: Int64, bootID: String) {
    self.wall = wall
    self.boottimeMilliseconds = boottimeMilliseconds
    self.bootID = bootID
  }

  /// Reads the clocks of this machine.
  @Sendable public static func system() -> ClockReading { SystemCalls.clockReading() }
}

/// An instant of fleet time as the ledger stored it, with what is needed to find it again.
public struct ClockMark: Equatable, Sendable {
  /// The fleet time.
  public var time: Timestamp
  /// Milliseconds since the machine had started.
  public var boottimeMilliseconds: Int64
  /// Which start of the machine that was.
  public var bootID: String

  /// Makes a mark.
  public init(time: Timestamp, boottimeMilliseconds: Int64, bootID: String) {
    self.time = time
    self.boottimeMilliseconds = boottimeMilliseconds
    self.bootID = bootID
  }
}
