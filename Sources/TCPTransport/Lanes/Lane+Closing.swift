import Sockets
import Synchronization

extension Lane {
  /// Brings a connection's deadlines, its place in the backlog and what epoll watches for in line
  /// with where it stands; ends it where nothing is left to do.
  func settle(_ connection: Connection, at now: MonotonicInstant) {
    switch connection.phase {
    case .open:
      if connection.hasHeardAll { return peerFinished(connection) }
      if connection.peerHasFinished, connection.isSettled {
        close(connection, counting: .peer)
        return
      }
    case .closing:
      if connection.isSettled {
        sayGoodbye(to: connection)
        connection.line.socket.shutdownSending()
        if connection.peerHasFinished {
          close(connection)
          return
        }
        connection.phase = .lingering
        connection.times.lingerUntil = now.advanced(byNanoseconds: limits.linger)
      }
    case .lingering: break
    case .closed: return
    }
    if connection.share != nil { countShare(of: connection) }
    setTimes(of: connection, at: now)
    if connection.hasBacklog, !connection.isQueued, connection.mayHandle(bounds) {
      connection.isQueued = true
      backlog.append(connection.id)
    }
    let wanted =
      (connection.mayRead(bounds) ? Poller.readable : 0)
      | (connection.sendQueue.isEmpty ? 0 : Poller.writable)
    if wanted != connection.interest {
      connection.interest = wanted
      poller.modify(connection.line.socket, events: wanted, token: connection.id.rawValue)
    }
    expect(connection)
    countHeld(by: connection)
    // Last: it may close any connection.
    if held.isOverBound { relieve() }
  }

  private func setTimes(of connection: Connection, at now: MonotonicInstant) {
    connection.times.awaitsReplies = connection.requestsUnderWay > 0
    let hangsOnPeer =
      connection.isOverUnsent || connection.phase == .closing
      || (connection.isOverShare && !connection.sendQueue.isEmpty)
      || (connection.peerHasFinished && !connection.sendQueue.isEmpty)
    if !hangsOnPeer {
      connection.times.stalledSince = nil
    } else if connection.times.stalledSince == nil {
      connection.times.stalledSince = now
    }
    // While the server does not read, the peer is not to blame for a frame that does not end.
    if connection.isMidFrame || connection.isMidRecord, connection.mayRead(bounds) {
      if connection.times.partialSince == nil { connection.times.partialSince = now }
    } else {
      connection.times.partialSince = nil
    }
  }

  /// Tells the peer why, and begins to close.
  func refuse(
    _ connection: Connection, _ reason: ConnectionRefusal, at now: MonotonicInstant
  ) {
    var output = exchange(&spareOutput, with: [])
    handler.refusal(reason, output: &output)
    beginClosing(connection, at: now)
    transmit(&output, to: connection, at: now)
    giveBack(&output)
    settle(connection, at: now)
  }

  /// From here on nothing the connection sends is handled; `settle` does the rest.
  func beginClosing(_ connection: Connection, at now: MonotonicInstant) {
    connection.phase = .closing
    connection.dropHeld()
    connection.times.stalledSince = now
    connection.times.introduceBy = nil
    connection.times.restsUntil = nil
  }

  /// Reads and throws away what a peer sends that has not heard yet.
  func discard(_ connection: Connection) {
    switch scratch.receive(from: connection.line.socket, limit: bounds.bytesPerTurn) {
    case .bytes(let count):
      LaneCounters.add(count, to: counters.bytesReceived)
      connection.discardedBytes += count
      let now = MonotonicInstant.now()
      if connection.owesDrainingReply, connection.phase == .closing {
        connection.owesDrainingReply = false
        refuse(connection, .draining, at: now)
      } else {
        settle(connection, at: now)
      }
    case .wouldBlock: break
    case .ended:
      connection.peerHasFinished = true
      if connection.phase == .lingering {
        close(connection)
      } else {
        settle(connection, at: .now())
      }
    case .failed: close(connection)
    }
  }

  /// The peer has ended its side: replies to what it asked still go out.
  func peerFinished(_ connection: Connection) {
    if connection.isMidFrame {
      connection.wasLeftMidFrame = true
      LaneCounters.add(1, to: counters.halfFrames)
    }
    connection.peerHasFinished = true
    connection.dropHeld()
    settle(connection, at: .now())
  }

  /// The connection is broken.
  func lose(_ connection: Connection) {
    if connection.isMidFrame {
      connection.wasLeftMidFrame = true
      LaneCounters.add(1, to: counters.halfFrames)
    }
    close(connection, counting: connection.phase == .open ? .error : .counted)
  }

  /// Why a connection ends, as far as it was not counted when its end began.
  enum ClosingCause {
    case peer, error, idle, slow, cutOff, memory, counted
  }

  /// Ends a connection now. Its socket closes when the last call that works on it returns.
  func close(_ connection: Connection, counting cause: ClosingCause = .counted) {
    if connection.phase == .closed { return }
    if connection.phase != .lingering, cause != .error { sayGoodbye(to: connection) }
    let isMidFrame = connection.wasLeftMidFrame
    connection.phase = .closed
    connection.dropHeld()
    connection.sendQueue.removeAll()
    countHeld(by: connection)
    sharing?.leave(connection, at: .now())
    connections[connection.id.slot] = nil
    freeSlots.append(connection.id.slot)
    liveConnections -= 1
    countOut(connection)
    switch cause {
    case .peer: LaneCounters.add(1, to: counters.closedByPeer)
    case .error: LaneCounters.add(1, to: counters.closedByError)
    case .idle: LaneCounters.add(1, to: counters.closedIdle)
    case .slow: LaneCounters.add(1, to: counters.closedSlow)
    case .cutOff: LaneCounters.add(1, to: counters.cutOffByDrain)
    case .memory: LaneCounters.add(1, to: counters.closedForMemory)
    case .counted: break
    }
    if connection.isAnnounced {
      handler.connectionClosed(
        connection.id, requestsUnderWay: connection.requestsUnderWay, midFrame: isMidFrame)
    }
    if liveConnections == 0 { finishDrains() }
  }
}
