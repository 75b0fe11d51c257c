import BudgetModel
import Sockets

/// Since when a connection is in each state that must not last: a value, judged without a clock.
struct ConnectionTimes: Equatable {
  /// When the last frame came whole, the last reply was written or the connection was opened.
  var lastActivity: MonotonicInstant
  /// When the first byte of the frame under way came; nil between frames and while the server
  /// itself is not reading.
  var partialSince: MonotonicInstant?
  /// When the peer last took a byte, while the connection hangs on its taking some.
  var stalledSince: MonotonicInstant?
  /// When the connection is closed, whatever the peer does; set once the last byte was sent.
  var lingerUntil: MonotonicInstant?
  /// Until when it is not read, since its client did as much as it may a second.
  var restsUntil: MonotonicInstant?
  /// When a peer that has not said who it is is closed; nil: it has, or is on its way out.
  var introduceBy: MonotonicInstant?
  /// Whether requests are under way; such a connection is not idle.
  var awaitsReplies = false

  /// The fate of a connection whose time is over.
  enum Verdict: Equatable {
    case frameTimedOut, idle, stalled, lingered, unintroduced, rested
  }

  /// The bounds that it is judged by, in nanoseconds.
  struct Limits: Equatable {
    let frame, idle, stall, linger: Int64

    init(_ bounds: TransportBounds) {
      frame = bounds.frameDuration.nanoseconds
      idle = bounds.idleDuration.nanoseconds
      stall = bounds.stallDuration.nanoseconds
      linger = bounds.lingerDuration.nanoseconds
    }
  }

  init(openedAt: MonotonicInstant) { lastActivity = openedAt }

  /// The verdict that comes next, and when.
  func next(_ limits: Limits) -> (verdict: Verdict, at: MonotonicInstant)? {
    if let lingerUntil { return (.lingered, lingerUntil) }
    var first: (verdict: Verdict, at: MonotonicInstant)?
    if let stalledSince {
      first = (.stalled, stalledSince.advanced(byNanoseconds: limits.stall))
    }
    if let partialSince {
      let at = partialSince.advanced(byNanoseconds: limits.frame)
      if first.map({ at < $0.at }) ?? true { first = (.frameTimedOut, at) }
    } else if first == nil, !awaitsReplies {
      first = (.idle, lastActivity.advanced(byNanoseconds: limits.idle))
    }
    if let introduceBy, introduceBy < first?.at ?? .never { first = (.unintroduced, introduceBy) }
    if let restsUntil, restsUntil < first?.at ?? .never { first = (.rested, restsUntil) }
    return first
  }

  /// When the lane looks at the connection next: when a verdict may be due, and at a stalled one
  /// more often, since epoll tells of room only once a third of the socket's buffer is free.
  func nextLook(after now: MonotonicInstant, _ limits: Limits) -> MonotonicInstant? {
    guard let next = next(limits) else { return nil }
    guard stalledSince != nil else { return next.at }
    return min(next.at, now.advanced(byNanoseconds: limits.stall / 20))
  }

  /// The verdict that is due at `now`.
  func verdict(at now: MonotonicInstant, _ limits: Limits) -> Verdict? {
    guard let next = next(limits), next.at <= now else { return nil }
    return next.verdict
  }
}
