import BudgetModel
import Sockets

/// The bounds on what one client may use over all its connections; 0 is no bound.
public struct ShareBounds: Equatable, Sendable {
  /// Connections at one time. Those past it are told so and closed.
  public var connections = 0
  /// Requests under way: at this many its connections are not read, until some are answered.
  public var requestsUnderWay = 0
  /// Bytes waiting to be written: past this many its connections are not read, until it has taken
  /// some.
  public var unsentBytes = 0
  /// The sum of `FrameHandler.turnCost` in a second: past it its connections are not read for a while.
  public var costPerSecond = 0

  /// No bounds, to be set one by one.
  public init() {}

  /// Whether there is no bound at all.
  var isNone: Bool { self == ShareBounds() }
}

/// The rest of what a client may do in this second: a bucket that fills as time goes by. A value.
///
/// A turn is let through whole, so the bucket may fall below empty; then it rests until it is not.
struct RateBucket {
  private let perSecond: Double
  private var level: Double
  private var filledAt: MonotonicInstant

  /// A bucket that is full: a second's worth.
  init(perSecond: Int, at now: MonotonicInstant) {
    self.perSecond = Double(perSecond)
    level = Double(perSecond)
    filledAt = now
  }

  /// How full it is at `now`, from 1; below 0 it is owed to.
  func fullness(at now: MonotonicInstant) -> Double {
    min(perSecond, level + filled(until: now)) / perSecond
  }

  private func filled(until now: MonotonicInstant) -> Double {
    Double(max(0, now.duration(since: filledAt).nanoseconds)) / 1e9 * perSecond
  }

  /// Takes `cost` out; says until when nothing more may be taken, nil: it is not empty.
  mutating func take(_ cost: Int, at now: MonotonicInstant) -> MonotonicInstant? {
    level = min(perSecond, level + filled(until: now)) - Double(cost)
    filledAt = max(filledAt, now)
    guard level < 0 else { return nil }
    return now.advanced(byNanoseconds: Int64((-level / perSecond * 1e9).rounded(.up)))
  }
}
