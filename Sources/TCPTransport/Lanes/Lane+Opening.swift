import Sockets
import Synchronization

extension Lane {
  /// Takes a connection over from the acceptor.
  func adopt(_ arrival: LaneInbox.Arrival) {
    guard let line = arrival.take() else { return }
    let slot = freeSlots.popLast() ?? connections.count
    if slot == connections.count {
      precondition(slot < ConnectionID.slotBound, "more connections than ids")
      connections.append(nil)
      generations.append(0)
    }
    generations[slot] &+= 1
    let id = ConnectionID(lane: index, slot: slot, generation: generations[slot])
    let now = MonotonicInstant.now()
    let connection = Connection(
      id: id, line: line, isOverBound: arrival.isOverBound, interest: Poller.readable,
      openedAt: now)
    guard poller.add(connection.line.socket, events: Poller.readable, token: id.rawValue) else {
      freeSlots.append(slot)
      countOut(connection)
      LaneCounters.add(1, to: counters.closedByError)
      return
    }
    connections[slot] = connection
    liveConnections += 1
    if arrival.isOverBound || drainUntil != nil {
      LaneCounters.add(1, to: counters.refused)
      if !arrival.isOverBound { LaneCounters.add(1, to: counters.refusedDraining) }
      refuse(
        connection,
        arrival.isOverBound ? .tooManyConnections(bound: bounds.connections) : .draining, at: now)
    } else {
      LaneCounters.add(1, to: counters.accepted)
      connection.isAnnounced = true
      if handler.connectionOpened(id, peer: arrival.peer) == .unknown {
        connection.times.introduceBy = now.advanced(by: bounds.introductionDuration)
      }
      if !join(connection, at: now) { return }
      connection.take(arrival.beginning, at: now)
      if connection.isHeldBack || connection.hasBacklog || connection.goodbyes.isHeard {
        settle(connection, at: now)
      } else {
        expect(connection)
      }
    }
  }

  /// The acceptor counted the connection when it handed it over; its lane counts it out.
  func countOut(_ connection: Connection) {
    if connection.isOverBound {
      counters.refusalsUnderWay.subtract(1, ordering: .relaxed)
    } else {
      counters.connectionsOpen.subtract(1, ordering: .relaxed)
    }
  }
}
