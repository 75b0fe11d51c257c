import BudgetModel

/// An instant of the machine's monotonic clock, for timeouts only.
///
/// It has no relation to wall time or fleet time and means nothing in another process.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
  /// Nanoseconds since an arbitrary start.
  public var nanoseconds: Int64

  /// Makes the instant `nanoseconds` after the clock's arbitrary start.
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// An instant that never comes.
  public static let never = MonotonicInstant(nanoseconds: .max)

  /// The instant now. One clock read, no allocation.
  public static func now() -> MonotonicInstant {
    MonotonicInstant(nanoseconds: SystemCalls.monotonicNanoseconds())
  }

  /// The instant `duration` later; `never` where that cannot be said.
  public func advanced(by duration: Duration) -> MonotonicInstant {
    advanced(byNanoseconds: duration.nanoseconds)
  }

  /// How long after `earlier` this instant lies; negative if it lies before.
  public func duration(since earlier: MonotonicInstant) -> Duration {
    .nanoseconds(nanoseconds.subtractingReportingOverflow(earlier.nanoseconds).partialValue)
  }

  /// Whether `left` lies before `right`.
  @inlinable public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The instant so many nanoseconds later; `never` where that cannot be said.
  public func advanced(byNanoseconds step: Int64) -> MonotonicInstant {
    let (sum, overflowed) = nanoseconds.addingReportingOverflow(step)
    return overflowed ? .never : MonotonicInstant(nanoseconds: sum)
  }
}
