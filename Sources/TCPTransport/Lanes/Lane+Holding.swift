extension Lane {
  /// Brings the sum over all connections in line with what this one holds: a look at two numbers
  /// where nothing has changed.
  @inline(__always)
  func countHeld(by connection: Connection) {
    let bytes = connection.heldBytes
    if bytes != connection.countedBytes {
      held.change(from: connection.countedBytes, to: bytes)
      connection.countedBytes = bytes
    }
  }

  /// Stops reading a connection that has more unsent than it may.
  func limitUnsent(of connection: Connection) {
    countHeld(by: connection)
    if connection.share != nil { countShare(of: connection) }
    if connection.isOverUnsent { return }
    let unsent = connection.sendQueue.byteCount
    if unsent > bounds.unsentBytes {
      connection.isOverUnsent = true
      LaneCounters.add(1, to: counters.stoppedByOwn)
    } else if unsent > held.allowance {
      connection.isOverUnsent = true
      LaneCounters.add(1, to: counters.stoppedByTotal)
    }
  }

  /// Whether so little is unsent that a connection that was stopped may be read again.
  func isReadable(withUnsent bytes: Int) -> Bool {
    bytes <= min(bounds.unsentBytes, held.allowance) / 2
  }

  /// Closes the connections that hold the most while all together hold too much.
  func relieve() {
    guard held.isOverBound else { return }
    let holders = connections.compactMap { connection in
      connection.flatMap { $0.countedBytes > 0 ? $0 : nil }
    }
    var closed = 0
    var bytes = 0
    for connection in holders.sorted(by: { $0.countedBytes > $1.countedBytes }) {
      if held.total <= held.relievedTotal || connection.countedBytes < held.average { break }
      closed += 1
      bytes += connection.countedBytes
      close(connection, counting: .memory)
    }
    if closed > 0 { held.tell(.closed(connections: closed, bytes: bytes, bound: held.bound)) }
    // Then those that hold more than the average are on other lanes.
    if held.isOverBound { held.askForRelief() }
  }
}
