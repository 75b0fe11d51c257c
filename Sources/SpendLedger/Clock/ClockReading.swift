public import BudgetModel

/// What the operating system's clocks say at one instant.
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
