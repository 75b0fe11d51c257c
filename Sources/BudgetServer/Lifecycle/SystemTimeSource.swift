public import BudgetModel
import Glibc

/// Fleet time without Redis: the wall clock as it was at the start, and the time that has passed
/// since by the clock that also counts while the machine sleeps (CLOCK_BOOTTIME).
///
/// A wall clock that is set while the process runs therefore moves no window. The only place that
/// reads the operating system's clock for fleet time.
public struct SystemTimeSource: TimeSource {
  private let wallAtStart: Timestamp
  private let start: Int64

  /// Reads both clocks; time begins at `first`, or where that is nil at the wall clock's.
  public init(startingAt first: Timestamp? = nil) {
    wallAtStart = first ?? Self.wallClock()
    start = Self.boottimeNanoseconds()
  }

  /// The wall clock, for logs and for the times in keys: it may jump.
  @Sendable public static func wallClock() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(
      unixMilliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// The fleet time now.
  public func now() -> Timestamp {
    let passed = Self.boottimeNanoseconds() - start
    return Timestamp(unixMilliseconds: wallAtStart.unixMilliseconds + passed / 1_000_000)
  }

  /// This host's wall clock now.
  public func wall() -> Timestamp { Self.wallClock() }

  /// Read as a number: `ContinuousClock` is the same clock, but its instants are 128 bits wide, and
  /// this is read for every request.
  static func boottimeNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
