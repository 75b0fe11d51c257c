import Sockets
import TLS

/// Encrypted connections of a lane. Their handshakes were done before they came.
extension Lane {
  /// Decrypts the first `count` bytes of the scratch buffer and handles what they hold.
  func open(_ count: Int, of connection: Connection, at now: MonotonicInstant) {
    var toSend = exchange(&spareSealed, with: [])
    let (opened, outcome) = opened(count, of: connection, toSend: &toSend)
    // Alerts, and answers to a change of keys.
    if !toSend.isEmpty { send(toSend, to: connection) }
    giveBack(sealed: &toSend)
    if connection.phase == .closed { return }
    if opened > 0 {
      handle(opened, in: plaintext, of: connection, at: now)
    } else {
      settle(connection, at: now)
    }
    switch outcome {
    case .goesOn: break
    case .ended:
      connection.goodbyes.isHeard = true
      settle(connection, at: now)
    case .failed:
      connection.goodbyes.isSaid = true
      LaneCounters.add(1, to: counters.secureFailures)
      lose(connection)
    }
  }

  private func opened(
    _ count: Int, of connection: Connection, toSend: inout [UInt8]
  ) -> (byteCount: Int, outcome: TLSSession.Opening) {
    let result = scratch.withBytes(0..<count) { ciphertext in
      plaintext.withMutableBytes { room in
        connection.line.session?.open(ciphertext, into: &room, toSend: &toSend)
      }
    }
    connection.isMidRecord = connection.line.session?.isMidRecord ?? false
    guard let result else {
      preconditionFailure("a connection in the clear has nothing to decrypt")
    }
    return result
  }

  /// Says that nothing more is sent, once, as far as the socket takes it at once: a peer that takes
  /// nothing does not hear it.
  func sayGoodbye(to connection: Connection) {
    guard connection.isSecure, !connection.goodbyes.isSaid, connection.sendQueue.isEmpty else {
      return
    }
    connection.goodbyes.isSaid = true
    var sealed = exchange(&spareSealed, with: [])
    connection.line.session?.end(toSend: &sealed)
    if case .bytes(let count) = connection.line.socket.send(sealed, from: 0) {
      LaneCounters.add(count, to: counters.bytesSent)
    }
    giveBack(sealed: &sealed)
  }

  /// The peer ended its side without a goodbye: somebody may have cut it off. Frames carry their
  /// lengths, so nothing half is believed; it is counted.
  func noteCut(of connection: Connection) {
    if connection.isSecure, !connection.goodbyes.isHeard {
      LaneCounters.add(1, to: counters.secureCuts)
    }
  }

  /// Returns a buffer lent for ciphertext, unless one large turn blew it up.
  func giveBack(sealed: inout [UInt8]) {
    sealed.removeAll(keepingCapacity: true)
    if sealed.capacity <= 4 * Self.gatheredBytes { spareSealed = exchange(&sealed, with: []) }
  }
}
