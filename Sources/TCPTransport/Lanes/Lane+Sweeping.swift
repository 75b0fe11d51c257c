import BudgetModel
import Dispatch
import Sockets

extension Lane {
  /// Sees to it that the sweep comes no later than the connection's next deadline.
  @inline(__always)
  func expect(_ connection: Connection) {
    if connection.times.stalledSince != nil {
      if let look = connection.times.nextLook(after: .now(), limits) { expect(look) }
    } else if let next = connection.times.next(limits), next.at < nextSweep {
      expect(next.at)
    }
  }

  /// Sees to it that the sweep comes no later than `instant`.
  func expect(_ instant: MonotonicInstant) {
    guard instant < nextSweep else { return }
    nextSweep = instant
    let nanoseconds = max(0, instant.duration(since: .now()).nanoseconds)
    timer?.schedule(
      deadline: .now() + .nanoseconds(Int(nanoseconds)), leeway: .milliseconds(1))
  }

  /// Ends the connections whose time is over. Runs when the first deadline is due and no more
  /// often than the bounds' resolution asks, so idle connections cost nothing in between.
  func sweep() {
    let now = MonotonicInstant.now()
    nextSweep = .never
    if let drainUntil, drainUntil <= now { cutOff() }
    var earliest = drainUntil.map { $0 > now ? $0 : .never } ?? .never
    for slot in connections.indices {
      guard let connection = connections[slot] else { continue }
      if connection.times.stalledSince != nil { flush(connection) }
      if connection.phase != .closed, let verdict = connection.times.verdict(at: now, limits) {
        carryOut(verdict, on: connection, at: now)
      }
      if connection.phase != .closed,
        let look = connection.times.nextLook(after: now, limits)
      {
        earliest = min(earliest, look)
      }
    }
    if earliest == .never { return }
    expect(max(earliest, now.advanced(byNanoseconds: bounds.sweepIntervalNanoseconds)))
  }

  private func carryOut(
    _ verdict: ConnectionTimes.Verdict, on connection: Connection, at now: MonotonicInstant
  ) {
    switch verdict {
    case .frameTimedOut:
      LaneCounters.add(1, to: counters.frameTimeouts)
      refuse(connection, .frameTimedOut(bound: bounds.frameDuration), at: now)
    case .unintroduced:
      LaneCounters.add(1, to: counters.closedForAccess)
      refuse(connection, .unintroduced(bound: bounds.introductionDuration), at: now)
    case .rested:
      connection.times.restsUntil = nil
      settle(connection, at: now)
    case .idle: close(connection, counting: .idle)
    case .stalled: close(connection, counting: .slow)
    case .lingered: close(connection)
    }
  }
}
