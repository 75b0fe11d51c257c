import BudgetModel
import Sockets

/// Taking connections, as many as there may be.
extension HTTPLoop {
  /// Connections that vanish before they are taken: past so many at once others get their turn.
  private static let failuresPerTurn = 64

  func acceptReady() {
    guard pollSet.events(at: 1) != 0 else { return }
    var failures = 0
    while true {
      let yielding = openCount < bounds.connections ? nil : yielding
      guard openCount < bounds.connections || yielding != nil else { return }
      switch listener.accepted() {
      case .connection(let socket):
        if let yielding { makeRoom(yielding) }
        adopt(socket)
      case .nothing: return
      case .gone:
        failures += 1
        if failures == Self.failuresPerTurn {
          acceptsFrom = SystemCalls.monotonicNanoseconds() + bounds.acceptPause.nanoseconds
          return
        }
      case .exhausted:
        // One of ours may be had for it, at the next look.
        if let yielding = yielding ?? self.yielding { makeRoom(yielding) }
        acceptsFrom = SystemCalls.monotonicNanoseconds() + bounds.acceptPause.nanoseconds
        return
      }
    }
  }

  /// With all connections taken, accepts once one of them may be closed for it; one that only just
  /// came has not had the time to ask.
  func setRoom(at now: Int64) {
    guard openCount >= bounds.connections else {
      if acceptsFrom == .max { acceptsFrom = 0 }
      return
    }
    let room = connections.reduce(Int64.max) { min($0, $1?.standing.yieldsFrom ?? .max) }
    if room == .max, acceptsFrom != .max { counters.count(.connections) }
    acceptsFrom = room
  }

  /// Whether a connection could be accepted now.
  var someoneWaits: Bool {
    var set = PollSet()
    listener.append(to: &set, events: PollSet.readable)
    set.wait(milliseconds: 0)
    return set.events(at: 0) != 0
  }

  private var longestWithoutRequest: HTTPConnection? {
    let standings = connections.lazy.map { $0?.standing }
    return ConnectionStanding.longest(standings, at: SystemCalls.monotonicNanoseconds())
      .flatMap { connections[$0] }
  }

  /// The connection that makes room for the next. One that has asked since the last look at sockets is
  /// read first: it asked in time.
  private var yielding: HTTPConnection? {
    while let longest = longestWithoutRequest {
      guard longest.phase == .reading, longest.socket.hasUnreadBytes else { return longest }
      read(longest)
      if longest.phase == .reading { return longest }
    }
    return nil
  }

  private func makeRoom(_ connection: HTTPConnection) {
    counters.count(.connections)
    close(connection)
  }

  private func adopt(_ socket: consuming Descriptor) {
    socket.disableDelay()
    let slot = connections.firstIndex { $0 == nil } ?? connections.count
    if slot == connections.count {
      connections.append(nil)
      generations.append(0)
    }
    generations[slot] += 1
    let connection = HTTPConnection(
      id: HTTPConnectionID(slot: slot, generation: generations[slot]), socket: socket,
      context: security?(), bounds: bounds, at: SystemCalls.monotonicNanoseconds())
    guard let connection else { return }
    connections[slot] = connection
    openCount += 1
  }
}

extension Optional where Wrapped == Descriptor {
  fileprivate borrowing func accepted() -> Accepting {
    switch self {
    case .some(let descriptor): descriptor.accept()
    case .none: .nothing
    }
  }
}
