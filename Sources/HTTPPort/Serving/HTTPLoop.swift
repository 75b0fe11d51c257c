import BudgetModel

/// What the port's thread does: waits for sockets, serves what is ready, ends what is overdue.
/// It alone touches connections.
final class HTTPLoop {
  let site: any HTTPSite
  let bounds: HTTPBounds
  let inbox: HTTPInbox
  let counters: HTTPCounters
  private let clock: @Sendable () -> Timestamp

  private var listener: Descriptor?
  private var connections: [HTTPConnection?] = []
  private var generations: [Int] = []
  private var openCount = 0
  private var pollSet = PollSet()
  private var polled: [HTTPConnection] = []
  /// When it may accept again; `.max`: once a connection ends or asks nothing more.
  private var acceptsFrom: Int64 = 0
  /// When the port ends at the latest, once it was told to.
  private var endsAt: Int64?

  /// Bytes sent to one connection before the next ready one gets its turn.
  private static let bytesPerTurn = 256 * 1_024
  /// How long a connection is left in peace before it may have to make room.
  private static let timeToAsk: Int64 = 100_000_000

  init(
    listener: consuming Descriptor, site: any HTTPSite, bounds: HTTPBounds, inbox: HTTPInbox,
    counters: HTTPCounters, clock: @escaping @Sendable () -> Timestamp
  ) {
    self.listener = consume listener
    self.site = site
    self.bounds = bounds
    self.inbox = inbox
    self.counters = counters
    self.clock = clock
  }

  /// Serves until it is told to stop.
  func run() {
    while !isOver {
      let now = monotonicNanoseconds()
      fillPollSet(at: now)
      pollSet.wait(milliseconds: waitingTime(at: now))
      takeMail()
      serveReady()
      acceptReady()
      endOverdue()
      counters.count(openConnections: openCount)
    }
    inbox.close()
    for connection in connections { if let connection { close(connection) } }
    counters.count(openConnections: 0)
    listener = nil
  }

  private var isOver: Bool {
    guard let endsAt else { return false }
    return openCount == 0 || monotonicNanoseconds() >= endsAt
  }

  // MARK: - Waiting

  private func fillPollSet(at now: Int64) {
    pollSet.removeAll()
    pollSet.append(inbox.bell.listening, events: PollSet.readable)
    setRoom(at: now)
    listener.append(to: &pollSet, events: now >= acceptsFrom ? PollSet.readable : 0)
    polled.removeAll(keepingCapacity: true)
    for connection in connections {
      guard let connection else { continue }
      pollSet.append(connection.socket, events: connection.interest)
      polled.append(connection)
    }
  }

  private func waitingTime(at now: Int64) -> Int32 {
    var next = min(endsAt ?? .max, acceptsFrom > now ? acceptsFrom : .max)
    for connection in polled {
      if let deadline = connection.deadline(bounds) { next = min(next, deadline.at) }
    }
    guard next != .max else { return -1 }
    // Rounded up: what is looked at before it is due would be looked at again and again.
    return Int32(clamping: max(0, (next - now + 999_999) / 1_000_000))
  }

  private func takeMail() {
    guard pollSet.events(at: 0) != 0 else { return }
    let mail = inbox.take()
    for (id, response) in mail.answers {
      guard let connection = connection(id), connection.phase == .answering else { continue }
      begin(response, on: connection)
    }
    if mail.mustStop, endsAt == nil { beginStopping() }
  }

  private func connection(_ id: HTTPConnectionID) -> HTTPConnection? {
    guard let connection = connections[id.slot], connection.id == id else { return nil }
    return connection
  }

  private func beginStopping() {
    endsAt = monotonicNanoseconds() + bounds.stopDuration.nanoseconds
    listener = nil
    for connection in connections {
      if let connection, connection.phase == .reading || connection.phase == .lingering {
        close(connection)
      }
    }
  }

  // MARK: - Accepting

  private func acceptReady() {
    guard pollSet.events(at: 1) != 0 else { return }
    while openCount < bounds.connections || makeRoom() {
      switch listener.accepted() {
      case .connection(let number): adopt(Descriptor(adopting: number))
      case .nothing: return
      case .failed: continue
      case .outOfDescriptors:
        acceptsFrom = monotonicNanoseconds() + bounds.acceptPause.nanoseconds
        return
      }
    }
  }

  /// With all connections taken, accepts once one of them has asked nothing for a moment; one that
  /// only just came has not had the time to ask.
  private func setRoom(at now: Int64) {
    guard openCount >= bounds.connections else {
      if acceptsFrom == .max { acceptsFrom = 0 }
      return
    }
    let room = idlest.map { $0.idleSince + Self.timeToAsk } ?? .max
    if room == .max, acceptsFrom != .max { counters.count(.connections) }
    acceptsFrom = room
  }

  private var idlest: HTTPConnection? {
    var found: HTTPConnection?
    for connection in connections {
      guard let connection, connection.isIdle else { continue }
      if connection.idleSince < found?.idleSince ?? .max { found = connection }
    }
    return found
  }

  private func makeRoom() -> Bool {
    guard let idlest, monotonicNanoseconds() - idlest.idleSince >= Self.timeToAsk else {
      return false
    }
    counters.count(.connections)
    close(idlest)
    return true
  }

  private func adopt(_ socket: consuming Descriptor) {
    socket.setNonblocking()
    socket.disableDelay()
    let slot = connections.firstIndex { $0 == nil } ?? connections.count
    if slot == connections.count {
      connections.append(nil)
      generations.append(0)
    }
    generations[slot] += 1
    connections[slot] = HTTPConnection(
      id: HTTPConnectionID(slot: slot, generation: generations[slot]), socket: socket,
      bounds: bounds, at: monotonicNanoseconds())
    openCount += 1
  }

  // MARK: - Serving

  private func serveReady() {
    for (index, connection) in polled.enumerated() where pollSet.events(at: index + 2) != 0 {
      switch connection.phase {
      case .reading: read(connection)
      case .writing: write(connection)
      case .lingering: discard(connection)
      // Nothing was asked of poll: it is broken, and the answer would reach nobody.
      case .answering: close(connection)
      case .closed: break
      }
    }
  }

  private func read(_ connection: HTTPConnection) {
    let transfer = connection.socket.receive(atMost: connection.reader.room) {
      connection.reader.append($0)
    }
    switch transfer {
    case .bytes: ask(connection)
    case .wouldBlock: break
    case .ended, .failed: close(connection)
    }
  }

  /// Takes the next request of a connection to the site.
  private func ask(_ connection: HTTPConnection) {
    let now = monotonicNanoseconds()
    switch connection.reader.next() {
    case .incomplete:
      if !connection.reader.isMidRequest {
        connection.requestSince = nil
      } else if connection.requestSince == nil {
        connection.requestSince = now
      }
    case .request(let request):
      connection.requestSince = nil
      connection.request = request
      connection.phase = .answering
      site.answer(request, HTTPReply(inbox: inbox, connection: connection.id))
    case .refused(let refusal): refuse(connection, refusal)
    }
  }

  private func refuse(_ connection: HTTPConnection, _ refusal: RequestRefusal) {
    if let bound = refusal.bound { counters.count(bound) }
    connection.requestSince = nil
    connection.request = nil
    begin(refusal.response(bounds), on: connection)
  }

  private func begin(_ response: HTTPResponse, on connection: HTTPConnection) {
    let now = monotonicNanoseconds()
    let request = connection.request
    let keepsAlive = request?.keepsAlive == true && endsAt == nil
    connection.request = nil
    connection.phase = .writing
    connection.progressAt = now
    connection.outgoing = HTTPConnection.Outgoing(
      head: ResponseHead.bytes(of: response, keepsAlive: keepsAlive, at: clock()),
      body: request?.method == "HEAD" ? nil : response.body, startedAt: now,
      endsConnection: !keepsAlive, lingers: request == nil)
    site.answered(path: request?.path, status: response.status)
    cutOffOldest()
    write(connection)
  }

  private func write(_ connection: HTTPConnection) {
    guard connection.phase == .writing, var outgoing = connection.outgoing else { return }
    let head = outgoing.head.count
    var left = Self.bytesPerTurn
    while !outgoing.isSent, left > 0 {
      let transfer: Transfer
      if outgoing.sent < head {
        transfer = connection.socket.send(
          outgoing.head, from: outgoing.sent, atMost: left, hasMore: outgoing.byteCount > head)
      } else {
        transfer = connection.socket.send(
          outgoing.body?.bytes ?? [], from: outgoing.sent - head, atMost: left, hasMore: false)
      }
      guard case .bytes(let count) = transfer, count > 0 else {
        if transfer != .wouldBlock {
          close(connection)
          return
        }
        break
      }
      outgoing.sent += count
      left -= count
      connection.progressAt = monotonicNanoseconds()
    }
    connection.outgoing = outgoing
    if outgoing.isSent { finish(outgoing, on: connection) }
  }

  private func finish(_ outgoing: HTTPConnection.Outgoing, on connection: HTTPConnection) {
    connection.outgoing = nil
    let now = monotonicNanoseconds()
    if outgoing.lingers {
      // Closing with bytes unread would reset the connection, and the refusal would be lost.
      connection.socket.shutdownSending()
      connection.phase = .lingering
      connection.lingerUntil = now + bounds.lingerDuration.nanoseconds
    } else if outgoing.endsConnection {
      close(connection)
    } else {
      connection.phase = .reading
      connection.idleSince = now
      // The next request may have come with this one.
      if connection.reader.isMidRequest { ask(connection) }
    }
  }

  private func discard(_ connection: HTTPConnection) {
    switch connection.socket.receive(atMost: 65_536, { connection.discardedBytes += $0.count }) {
    case .bytes: if connection.discardedBytes > bounds.lingerBytes { close(connection) }
    case .wouldBlock: break
    case .ended, .failed: close(connection)
    }
  }

  // MARK: - Ending

  private func endOverdue() {
    let now = monotonicNanoseconds()
    for connection in connections {
      guard let connection, let deadline = connection.deadline(bounds), deadline.at <= now
      else { continue }
      switch deadline.what {
      case .request: refuse(connection, .timedOut)
      case .idle, .linger: close(connection)
      case .response:
        counters.count(.stallTime)
        close(connection)
      }
    }
  }

  /// Cuts off the oldest responses while more bytes wait than may.
  private func cutOffOldest() {
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

  private func close(_ connection: HTTPConnection) {
    if connection.phase == .closed { return }
    connection.phase = .closed
    connection.outgoing = nil
    connections[connection.id.slot] = nil
    openCount -= 1
  }
}

extension Optional where Wrapped == Descriptor {
  fileprivate borrowing func append(to set: inout PollSet, events: Int16) {
    switch self {
    case .some(let descriptor): set.append(descriptor, events: events)
    // Keeps the places in the set.
    case .none: set.appendNothing()
    }
  }

  fileprivate borrowing func accepted() -> Accepting {
    switch self {
    case .some(let descriptor): descriptor.accept()
    case .none: .nothing
    }
  }
}
