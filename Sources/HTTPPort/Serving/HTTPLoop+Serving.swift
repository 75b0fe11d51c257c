import BudgetModel
import Sockets

/// Reading requests, asking the site, sending what it answers.
extension HTTPLoop {
  /// Bytes sent to one connection before the next ready one gets its turn.
  private static let bytesPerTurn = 256 * 1_024

  func serveReady() {
    for (index, connection) in polled.enumerated() where pollSet.events(at: index + 2) != 0 {
      switch connection.phase {
      case .reading:
        if !connection.sealed.isEmpty { _ = flushSealed(connection) }
        if connection.phase == .reading { read(connection) }
      case .writing: write(connection)
      case .lingering: discard(connection)
      // Nothing was asked of poll: it is broken, and the answer would reach nobody.
      case .answering: close(connection)
      case .closed: break
      }
    }
  }

  func read(_ connection: HTTPConnection) {
    if connection.isSecure {
      readSealed(connection)
      return
    }
    let room = min(connection.reader.room, Self.receiveBytes)
    switch scratch.receive(from: connection.socket, limit: room) {
    case .bytes(let count):
      var received: [UInt8] = []
      scratch.append(0..<count, to: &received)
      connection.reader.append(received[...])
      ask(connection)
    case .wouldBlock: break
    case .ended, .failed: close(connection)
    }
  }

  /// Takes the next request of a connection to the site.
  func ask(_ connection: HTTPConnection) {
    let now = SystemCalls.monotonicNanoseconds()
    switch connection.reader.next() {
    case .incomplete:
      if !connection.reader.isMidRequest {
        connection.requestSince = nil
      } else if connection.requestSince == nil {
        connection.requestSince = now
      }
    case .request(var request):
      request.peer = connection.peer
      request.certificateNames = connection.certificateNames
      connection.requestSince = nil
      connection.requestedAt = now
      connection.request = request
      connection.phase = .answering
      site.answer(request, HTTPReply(inbox: inbox, connection: connection.id))
    case .refused(let refusal): refuse(connection, refusal)
    }
  }

  func refuse(_ connection: HTTPConnection, _ refusal: RequestRefusal) {
    if let bound = refusal.bound { counters.count(bound) }
    connection.requestSince = nil
    connection.request = nil
    guard connection.canAnswer else {
      close(connection)
      return
    }
    begin(refusal.response(bounds), on: connection)
  }

  func begin(_ response: HTTPResponse, on connection: HTTPConnection) {
    let now = SystemCalls.monotonicNanoseconds()
    let request = connection.request
    // With all connections taken each goes once it has its answer, while others wait for theirs.
    let isFull = openCount >= bounds.connections && someoneWaits
    // A peer that sends nothing more may have sent its next request already.
    let isLast = connection.hasHeardAll && !connection.reader.isMidRequest
    let keepsAlive = request?.keepsAlive == true && endsAt == nil && !isFull && !isLast
    connection.request = nil
    connection.refusal = nil
    connection.phase = .writing
    connection.progressAt = now
    connection.outgoing = HTTPConnection.Outgoing(
      head: ResponseHead.bytes(of: response, keepsAlive: keepsAlive, at: clock()),
      body: request?.method == "HEAD" ? nil : response.body, startedAt: now,
      endsConnection: !keepsAlive, lingers: request == nil || isFull)
    site.answered(path: request?.path, status: response.status)
    cutOffOldest()
    write(connection)
  }

  private func write(_ connection: HTTPConnection) {
    guard connection.phase == .writing, var outgoing = connection.outgoing else { return }
    let head = outgoing.head.count
    var left = Self.bytesPerTurn
    while !outgoing.isSent, left > 0 {
      let transfer =
        outgoing.sent < head
        ? send(
          outgoing.head, from: outgoing.sent, atMost: left, hasMore: outgoing.byteCount > head,
          to: connection)
        : send(
          outgoing.body?.bytes ?? [], from: outgoing.sent - head, atMost: left, hasMore: false,
          to: connection)
      guard case .bytes(let count) = transfer, count > 0 else {
        if transfer != .wouldBlock {
          close(connection)
          return
        }
        break
      }
      outgoing.sent += count
      left -= count
      connection.progressAt = SystemCalls.monotonicNanoseconds()
    }
    connection.outgoing = outgoing
    if outgoing.isSent, flushSealed(connection) { finish(outgoing, on: connection) }
  }

  private func finish(_ outgoing: HTTPConnection.Outgoing, on connection: HTTPConnection) {
    connection.outgoing = nil
    let now = SystemCalls.monotonicNanoseconds()
    if outgoing.lingers {
      sayGoodbye(to: connection)
      // Closing with bytes unread would reset the connection, and the refusal would be lost.
      connection.socket.shutdownSending()
      connection.phase = .lingering
      connection.lingerUntil = now + bounds.lingerDuration.nanoseconds
    } else if outgoing.endsConnection {
      sayGoodbye(to: connection)
      close(connection)
    } else {
      connection.phase = .reading
      connection.idleSince = now
      // The next request may have come with this one.
      if connection.reader.isMidRequest { ask(connection) }
      if connection.hasHeardAll, connection.phase == .reading { close(connection) }
    }
  }

  private func discard(_ connection: HTTPConnection) {
    switch scratch.receive(from: connection.socket, limit: Self.receiveBytes) {
    case .bytes(let count):
      connection.discardedBytes += count
      if connection.discardedBytes > bounds.lingerBytes { close(connection) }
    case .wouldBlock: break
    case .ended, .failed: close(connection)
    }
  }
}
