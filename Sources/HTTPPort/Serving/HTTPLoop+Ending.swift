import Sockets

/// Ending what takes too long, or too much.
extension HTTPLoop {
  func endOverdue() {
    let now = SystemCalls.monotonicNanoseconds()
    for connection in connections {
      guard let connection, let deadline = connection.deadline(bounds), deadline.at <= now
      else { continue }
      switch deadline.what {
      case .request: refuse(connection, .timedOut)
      case .idle, .linger: close(connection)
      case .refusal:
        if let refusal = connection.refusal { begin(refusal.response, on: connection) }
      case .response:
        counters.count(.stallTime)
        close(connection)
      }
    }
  }

  /// Cuts off the oldest responses while more bytes wait than may.
  func cutOffOldest() {
    while true {
      var bodies: Set<ObjectIdentifier> = []
      var bytes = 0
      var oldest: HTTPConnection?
      for connection in connections {
        guard let connection, let outgoing = connection.outgoing, let body = outgoing.body
        else { continue }
        if bodies.insert(ObjectIdentifier(body)).inserted { bytes += body.bytes.count }
        if outgoing.startedAt < oldest?.outgoing?.startedAt ?? .max { oldest = connection }
      }
      // A single response is let through, however long it is.
      guard bytes > bounds.unsentBytes, bodies.count > 1, let oldest else { return }
      counters.count(.responseBytes)
      close(oldest)
    }
  }

  func close(_ connection: HTTPConnection) {
    if connection.phase == .closed { return }
    connection.phase = .closed
    connection.outgoing = nil
    connections[connection.id.slot] = nil
    openCount -= 1
  }
}
