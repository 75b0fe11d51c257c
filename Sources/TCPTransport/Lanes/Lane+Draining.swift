import Sockets

extension Lane {
  /// Handles what had arrived, answers what is under way, and closes; calls back when all is gone.
  func drain(_ order: LaneInbox.DrainOrder) {
    drains.append(order)
    let until = min(order.until, drainUntil ?? .never)
    drainUntil = until
    for slot in connections.indices {
      guard let connection = connections[slot], connection.phase == .open else { continue }
      // One last turn: what lay in the socket was sent before the peer could know.
      if connection.mayRead(bounds), !connection.hasBacklog { receive(connection) }
      if connection.phase == .open { beginDraining(connection) }
    }
    if liveConnections == 0 { finishDrains() } else { expect(until) }
  }

  private func beginDraining(_ connection: Connection) {
    LaneCounters.add(1, to: counters.closedByDrain)
    let now = MonotonicInstant.now()
    if connection.held.isEmpty {
      connection.owesDrainingReply = true
      beginClosing(connection, at: now)
      settle(connection, at: now)
    } else {
      refuse(connection, .draining, at: now)
    }
  }

  /// The time for draining is over: closes what is left.
  func cutOff() {
    for slot in connections.indices {
      guard let connection = connections[slot] else { continue }
      close(connection, counting: connection.phase == .lingering ? .counted : .cutOff)
    }
  }

  /// Tells those who wait for draining that nothing is left.
  func finishDrains() {
    for order in exchange(&drains, with: []) { order.done() }
  }
}
