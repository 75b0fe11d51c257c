import Sockets
import TLS

/// Encrypted connections. Handshakes are done on the port's own thread, which gives way to others; a
/// peer that does nothing else has no more of it than one that asks for pages.
extension HTTPLoop {
  /// Bytes of a response that are encrypted at a time: they are held until the socket takes them.
  private static let sealedBytes = 64 * 1_024

  /// Takes in what has come of an encrypted connection.
  func readSealed(_ connection: HTTPConnection) {
    switch scratch.receive(from: connection.socket, limit: Self.receiveBytes) {
    case .bytes(let count):
      let result = scratch.withBytes(0..<count) { ciphertext in
        plaintext.withMutableBytes { room in
          connection.session?.open(ciphertext, into: &room, toSend: &connection.sealed)
        }
      }
      guard let (opened, outcome) = result else { return }
      guard flushSealed(connection) || connection.phase != .closed else { return }
      var received: [UInt8] = []
      plaintext.append(0..<opened, to: &received)
      connection.reader.append(received[...])
      take(outcome, hasReceived: opened > 0, of: connection)
    case .wouldBlock: break
    case .ended, .failed: close(connection)
    }
  }

  private func take(
    _ outcome: TLSSession.Opening, hasReceived: Bool, of connection: HTTPConnection
  ) {
    switch outcome {
    case .goesOn, .ended:
      if connection.canAnswer, !connection.isEstablished {
        connection.isEstablished = true
        connection.certificateNames = connection.session?.peerNames ?? []
        connection.requestSince = nil
        connection.idleSince = SystemCalls.monotonicNanoseconds()
        counters.countHandshake()
      }
      if outcome == .ended { connection.hasHeardAll = true }
      if hasReceived { ask(connection) }
      // A request that came before the goodbye is answered, as in the clear.
      if connection.hasHeardAll, connection.phase == .reading { close(connection) }
    case .failed(let failure):
      counters.count(failure)
      // An alert says why; with bytes unread the peer might not hear it.
      connection.socket.shutdownSending()
      _ = scratch.receive(from: connection.socket, limit: Self.receiveBytes)
      close(connection)
    }
  }

  /// Sends at most `limit` of `bytes` from `offset` on, encrypted where the connection is. The bytes
  /// that it says were sent may still wait in `sealed`.
  func send(
    _ bytes: [UInt8], from offset: Int, atMost limit: Int, hasMore: Bool,
    to connection: HTTPConnection
  ) -> Transfer {
    guard connection.isSecure else {
      return connection.socket.send(bytes, from: offset, atMost: limit, hasMore: hasMore)
    }
    guard flushSealed(connection) else {
      return connection.phase == .closed ? .ended : .wouldBlock
    }
    let end = min(bytes.count, offset + min(limit, Self.sealedBytes))
    guard connection.session?.seal(bytes[offset..<end], toSend: &connection.sealed) == true else {
      return .ended
    }
    _ = flushSealed(connection)
    return connection.phase == .closed ? .ended : .bytes(end - offset)
  }

  /// Sends what waits encrypted. False: not all of it; the connection may be closed.
  func flushSealed(_ connection: HTTPConnection) -> Bool {
    while connection.sealedSent < connection.sealed.count {
      switch connection.socket.send(connection.sealed, from: connection.sealedSent) {
      case .bytes(let count):
        connection.sealedSent += count
        connection.progressAt = SystemCalls.monotonicNanoseconds()
      case .wouldBlock: return false
      case .ended, .failed:
        close(connection)
        return false
      }
    }
    connection.sealed.removeAll(keepingCapacity: false)
    connection.sealedSent = 0
    return true
  }

  /// Says that nothing more comes, as far as the socket takes it at once.
  func sayGoodbye(to connection: HTTPConnection) {
    guard connection.isSecure, connection.sealed.isEmpty else { return }
    connection.session?.end(toSend: &connection.sealed)
    _ = connection.socket.send(connection.sealed, from: 0)
    connection.sealed = []
  }
}
