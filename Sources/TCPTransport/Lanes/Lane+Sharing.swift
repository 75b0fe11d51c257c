import Sockets

extension Lane {
  /// Takes a connection into its client's share; false: the client has as many as it may, and this one
  /// is told so.
  func join(_ connection: Connection, at now: MonotonicInstant) -> Bool {
    guard let sharing else { return true }
    if sharing.join(connection, handler.client(of: connection.id), at: now) { return true }
    LaneCounters.add(1, to: counters.refusedOfClient)
    refuse(connection, .tooManyOfClient(bound: sharing.shares.bounds.connections), at: now)
    return false
  }

  /// Cold: nothing is bounded by client unless somebody asked for it.
  @inline(never)
  func countShare(of connection: Connection) {
    if sharing?.count(connection) == true { LaneCounters.add(1, to: counters.stoppedByClient) }
  }

  /// Takes the cost of the frames handled from the second of their client: before anything that may end
  /// the connection or change whose it is, or the cost would be nobody's, or the next one's.
  @inline(__always)
  func charge(_ connection: Connection, at now: MonotonicInstant) {
    let until = connection.share?.spend(handler.turnCost(), at: now)
    guard let until, connection.phase == .open else { return }
    LaneCounters.add(1, to: counters.stoppedByRate)
    connection.times.restsUntil = until
  }

  /// A connection that waited for room in its share is looked at again.
  func resume(_ id: ConnectionID) {
    guard let connection = connection(id) else { return }
    sharing?.resume(connection)
    settle(connection, at: .now())
  }
}
