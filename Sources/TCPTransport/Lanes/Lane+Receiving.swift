import Sockets

extension Lane {
  /// Does what epoll says is possible on a connection.
  @inline(__always)
  func serve(_ connection: Connection, events: UInt32) {
    if events & Poller.writable != 0 { flush(connection) }
    if events & (Poller.readable | Poller.broken) == 0 { return }
    if connection.interest & Poller.readable == 0 {
      // Broken while nothing is read from it: a reset, or both sides have ended.
      if events & Poller.broken != 0 { lose(connection) }
      return
    }
    if connection.phase == .open {
      // With frames left over it is in the backlog, and its turn comes from there.
      if !connection.hasBacklog { receive(connection) }
    } else {
      discard(connection)
    }
  }

  /// One turn: reads once, handles the whole frames, writes the replies once.
  func receive(_ connection: Connection) {
    switch scratch.receive(from: connection.line.socket, limit: bounds.bytesPerTurn) {
    case .bytes(let count):
      let now = MonotonicInstant.now()
      LaneCounters.add(count, to: counters.bytesReceived)
      if connection.isSecure {
        open(count, of: connection, at: now)
      } else {
        handle(count, in: scratch, of: connection, at: now)
      }
    case .wouldBlock: break
    case .ended:
      noteCut(of: connection)
      peerFinished(connection)
    case .failed: lose(connection)
    }
  }

  /// Handles the first `count` bytes of `buffer`, which a connection has sent.
  @inline(__always)
  func handle(
    _ count: Int, in buffer: borrowing ScratchBuffer, of connection: Connection,
    at now: MonotonicInstant
  ) {
    var output = exchange(&spareOutput, with: [])
    take(count, in: buffer, of: connection, at: now, output: &output)
    endTurn(connection, at: now, output: &output)
  }

  /// Gives each connection that had frames left over one more turn.
  func serveBacklog() {
    let turns = exchange(&backlog, with: [])
    for id in turns {
      guard let connection = connection(id) else { continue }
      connection.isQueued = false
      guard connection.phase == .open, connection.hasBacklog, connection.mayHandle(bounds)
      else { continue }
      let now = MonotonicInstant.now()
      var output = exchange(&spareOutput, with: [])
      handleHeld(of: connection, at: now, output: &output)
      endTurn(connection, at: now, output: &output)
    }
  }

  /// Handles the first `count` bytes of a buffer; what is left of them goes to the connection.
  private func take(
    _ count: Int, in buffer: borrowing ScratchBuffer, of connection: Connection,
    at now: MonotonicInstant, output: inout [UInt8]
  ) {
    var start = 0
    // A frame that began earlier gets the bytes that it lacks, and no more: each byte moves once.
    while !connection.held.isEmpty, !connection.hasBacklog {
      switch unsafe decoder.step(in: connection.held.span.bytes, at: 0) {
      case .partial(let missing):
        if start == count { return }
        let end = start + min(missing, count - start)
        buffer.append(start..<end, to: &connection.held)
        start = end
      case .tooLarge(let length):
        refuseFrame(ofLength: length, connection, at: now, output: &output)
        return
      case .frame: handleHeld(of: connection, at: now, output: &output)
      }
    }
    if start == count { return }
    if connection.hasBacklog || !connection.mayHandle(bounds) {
      connection.backlogSince = connection.backlogSince ?? now
      buffer.append(start..<count, to: &connection.held)
      return
    }
    let rest = start..<count
    let used = buffer.withBytes(rest) { bytes in
      handleFrames(in: bytes, of: connection, receivedAt: now, at: now, output: &output)
    }
    if connection.phase == .open, used < rest.count {
      buffer.append(start + used..<count, to: &connection.held)
    }
  }

  /// Handles the whole frames that the connection holds, and keeps what is left.
  private func handleHeld(
    of connection: Connection, at now: MonotonicInstant, output: inout [UInt8]
  ) {
    var bytes = exchange(&connection.held, with: [])
    // Frames that waited for their turn were received when they were read, not now.
    let receivedAt = connection.backlogSince ?? now
    connection.hasBacklog = false
    connection.backlogSince = nil
    let used = unsafe handleFrames(
      in: bytes.span.bytes, of: connection, receivedAt: receivedAt, at: now, output: &output)
    if used > 0 { connection.times.partialSince = nil }
    guard connection.phase == .open else { return }
    if used == bytes.count, bytes.capacity > Connection.keptBytes { return }
    bytes.removeFirst(used)
    connection.held = bytes
  }

  /// Handles the whole frames at the start of `bytes`, as many as a turn may, and says how many
  /// bytes they were. Sets the connection's `hasBacklog` when it stopped before the last one.
  private func handleFrames(
    in bytes: RawSpan, of connection: Connection, receivedAt: MonotonicInstant,
    at now: MonotonicInstant, output: inout [UInt8]
  ) -> Int {
    var offset = 0
    var frames = 0
    var clock = TurnClock(endsAt: now.advanced(by: bounds.turnDuration))
    defer { if frames > 0 { LaneCounters.add(frames, to: counters.frames) } }
    while true {
      let body: Range<Int>
      switch decoder.step(in: bytes, at: offset) {
      case .frame(let range): body = range
      case .partial: return offset
      case .tooLarge(let length):
        refuseFrame(ofLength: length, connection, at: now, output: &output)
        return offset
      }
      if frames == bounds.framesPerTurn || !connection.mayHandle(bounds)
        || clock.isOver(frames: frames, bytes: offset, output: output.count)
      {
        connection.hasBacklog = true
        connection.backlogSince = receivedAt
        return offset
      }
      frames += 1
      offset = body.upperBound
      let outcome = handler.handle(
        bytes.extracting(body), from: connection.id, receivedAt: receivedAt, output: &output)
      switch outcome {
      case .answered: break
      case .deferred:
        connection.requestsUnderWay += 1
        if connection.share != nil { countShare(of: connection) }
      case .introduced:
        connection.times.introduceBy = nil
        charge(connection, at: now)
        if !join(connection, at: now) { return offset }
      case .closeAfterReply:
        connection.requestsUnderWay += 1
        connection.awaitsLastReply = true
        LaneCounters.add(1, to: counters.closedByHandler)
        beginClosing(connection, at: now)
        return offset
      case .close:
        LaneCounters.add(1, to: counters.closedByHandler)
        beginClosing(connection, at: now)
        return offset
      }
      if output.count >= Self.gatheredBytes {
        charge(connection, at: now)
        transmit(&output, to: connection, at: now)
        if connection.phase != .open { return offset }
      }
    }
  }

  private func refuseFrame(
    ofLength length: Int, _ connection: Connection, at now: MonotonicInstant,
    output: inout [UInt8]
  ) {
    LaneCounters.add(1, to: counters.framesTooLarge)
    handler.refusal(
      .frameTooLarge(length: length, bound: bounds.requestFrameBytes), output: &output)
    beginClosing(connection, at: now)
  }

  /// Writes what the turn brought and notes where the connection stands after it.
  private func endTurn(
    _ connection: Connection, at now: MonotonicInstant, output: inout [UInt8]
  ) {
    charge(connection, at: now)
    if !output.isEmpty { transmit(&output, to: connection, at: now) }
    handler.turnEnded()
    giveBack(&output)
    connection.times.lastActivity = now
    settle(connection, at: now)
  }
}

/// Ends a connection's turn by time, without reading the clock for each small frame.
struct TurnClock {
  private let endsAt: MonotonicInstant
  private var framesAtReading = 0
  private var bytesAtReading = 0
  private var outputAtReading = 0

  /// So many small frames, or bytes in or out, go by between two readings.
  private static let framesBetweenReadings = 8
  private static let bytesBetweenReadings = 8_192

  init(endsAt: MonotonicInstant) { self.endsAt = endsAt }

  /// Whether the turn has lasted its time. `frames`, `bytes` and `output` are what it did so far;
  /// before the first frame it has not: every turn makes progress.
  mutating func isOver(frames: Int, bytes: Int, output: Int) -> Bool {
    guard
      frames - framesAtReading >= Self.framesBetweenReadings
        || bytes - bytesAtReading >= Self.bytesBetweenReadings
        // Output is written early when much has gathered, and then counts from zero again.
        || abs(output - outputAtReading) >= Self.bytesBetweenReadings
    else { return false }
    framesAtReading = frames
    bytesAtReading = bytes
    outputAtReading = output
    return frames > 0 && MonotonicInstant.now() >= endsAt
  }
}
