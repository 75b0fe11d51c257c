public import BudgetModel

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
