public import BudgetModel
import Foundation

/// Fleet time without Redis: the wall clock as it was at the start, and the time that has passed
/// since by the clock that also counts while the machine sleeps (CLOCK_BOOTTIME on Linux).
///
/// A wall clock that is set while the process runs therefore moves no window. The only place that
/// reads the operating system's clock for fleet time.
public struct SystemTimeSource: TimeSource {
  private let wallAtStart: Timestamp
  private let start: ContinuousClock.Instant

  /// Reads both clocks; time begins at `first`, or where that is nil at the wall clock's.
  public init(startingAt first: Timestamp? = nil) {
    wallAtStart = first ?? Self.wallClock()
    start = ContinuousClock.now
  }

  /// The wall clock, for logs: it may jump.
  public static func wallClock() -> Timestamp {
    Timestamp(unixMilliseconds: Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down)))
  }

  /// The fleet time now.
  public func now() -> Timestamp {
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return Timestamp(
      unixMilliseconds: wallAtStart.unixMilliseconds + seconds * 1_000
        + attoseconds / 1_000_000_000_000_000)
  }
}
