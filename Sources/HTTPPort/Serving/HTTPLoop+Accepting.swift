/// Taking connections, as many as there may be.
extension HTTPLoop {
  /// How long a connection is left in peace before it may have to make room.
  private static let timeToAsk: Int64 = 100_000_000

  func acceptReady() {
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
  func setRoom(at now: Int64) {
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
}

extension Optional where Wrapped == Descriptor {
  fileprivate borrowing func accepted() -> Accepting {
    switch self {
    case .some(let descriptor): descriptor.accept()
    case .none: .nothing
    }
  }
}
