import Sockets

extension Lane {
  /// Sends `output` to the peer, or queues what its socket does not take; empties `output`.
  func transmit(_ output: inout [UInt8], to connection: Connection, at now: MonotonicInstant) {
    defer { output.removeAll(keepingCapacity: true) }
    if connection.phase == .closed { return }
    guard connection.isSecure else {
      send(output, to: connection)
      return
    }
    var sealed = exchange(&spareSealed, with: [])
    if connection.seal(output[...], to: &sealed) {
      send(sealed, to: connection)
    } else {
      lose(connection)
    }
    giveBack(sealed: &sealed)
  }

  /// Sends `bytes` as they go over the wire, or queues what the socket does not take.
  @inline(__always)
  func send(_ bytes: [UInt8], to connection: Connection) {
    var sent = 0
    if connection.sendQueue.isEmpty {
      switch connection.line.socket.send(bytes, from: 0) {
      case .bytes(let count): sent = count
      case .wouldBlock, .ended: break
      case .failed:
        lose(connection)
        return
      }
      LaneCounters.add(sent, to: counters.bytesSent)
      if sent == bytes.count { return }
    }
    connection.sendQueue.append(bytes[sent...])
    limitUnsent(of: connection)
  }

  /// Sends what waits, as far as the socket takes it.
  func flush(_ connection: Connection) {
    let now = MonotonicInstant.now()
    var total = 0
    sending: while !connection.sendQueue.isEmpty {
      let (bytes, sent) = connection.sendQueue.next
      switch connection.line.socket.send(bytes, from: sent) {
      case .bytes(let count):
        total += count
        connection.sendQueue.removeFirst(count)
        // Less than was asked for: the socket is full, and epoll says when it is not.
        if count < bytes.count - sent { break sending }
      case .wouldBlock, .ended: break sending
      case .failed:
        lose(connection)
        return
      }
    }
    if total > 0 {
      LaneCounters.add(total, to: counters.bytesSent)
      connection.times.lastActivity = now
      connection.times.stalledSince = nil
    }
    if connection.isOverUnsent {
      countHeld(by: connection)
      if isReadable(withUnsent: connection.sendQueue.byteCount) { connection.isOverUnsent = false }
    }
    settle(connection, at: now)
  }

  /// Gives each reply to its connection, then writes once per connection.
  func deliver(_ batch: ReplyBatch) {
    var touched: [Connection] = []
    var start = 0
    for entry in batch.entries {
      defer { start = entry.end }
      guard entry.connection.lane == index else { continue }
      guard let connection = connection(entry.connection) else {
        LaneCounters.add(1, to: counters.repliesDropped)
        continue
      }
      precondition(connection.requestsUnderWay > 0, "a second reply to one request")
      connection.requestsUnderWay -= 1
      handler.replied(to: connection.id, tag: entry.tag)
      if !connection.isGathering {
        connection.isGathering = true
        touched.append(connection)
      }
      // Late replies, together.
      if connection.isSecure {
        connection.gathered.append(contentsOf: batch.bytes[start..<entry.end])
      } else {
        connection.sendQueue.append(batch.bytes[start..<entry.end])
      }
    }
    for connection in touched {
      connection.isGathering = false
      if connection.isSecure, !sealGathered(of: connection) { continue }
      // A connection that epoll watches for room has none now.
      if connection.interest & Poller.writable == 0 {
        flush(connection)
      } else {
        settle(connection, at: .now())
      }
      if connection.phase != .closed, !connection.sendQueue.isEmpty {
        limitUnsent(of: connection)
        settle(connection, at: .now())
      }
    }
    handler.turnEnded()
  }

  /// Encrypts the replies of a batch in one go: each record costs some bytes and time. False: the
  /// connection is lost.
  private func sealGathered(of connection: Connection) -> Bool {
    var sealed = exchange(&spareSealed, with: [])
    defer { giveBack(sealed: &sealed) }
    let isSealed = connection.seal(connection.gathered[...], to: &sealed)
    connection.gathered = []
    guard isSealed else {
      lose(connection)
      return false
    }
    connection.sendQueue.append(sealed[...])
    return true
  }

  /// Returns a buffer lent for gathering, unless one large turn blew it up.
  func giveBack(_ output: inout [UInt8]) {
    output.removeAll(keepingCapacity: true)
    if output.capacity <= 4 * Self.gatheredBytes { spareOutput = exchange(&output, with: []) }
  }
}
