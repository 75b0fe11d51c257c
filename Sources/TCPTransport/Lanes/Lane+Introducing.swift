import Sockets

extension Lane {
  /// Asks the handler again about every peer: those that it no longer knows are closed, once the
  /// replies under way have reached them.
  func review() {
    let now = MonotonicInstant.now()
    for slot in connections.indices {
      guard let connection = connections[slot], connection.phase == .open,
        connection.isAnnounced, connection.times.introduceBy == nil,
        handler.review(connection.id) == .unknown
      else { continue }
      LaneCounters.add(1, to: counters.closedForAccess)
      refuse(connection, .revoked, at: now)
    }
  }

  /// Closes a connection whose peer has not said who it is; one that has by now stays. One that only
  /// waits for its last reply goes without it.
  func dismiss(_ id: ConnectionID) {
    guard let connection = connection(id) else { return }
    if connection.awaitsLastReply {
      close(connection)
      return
    }
    guard connection.phase == .open, connection.times.introduceBy != nil else { return }
    LaneCounters.add(1, to: counters.closedForAccess)
    refuse(connection, .displaced, at: .now())
  }
}
