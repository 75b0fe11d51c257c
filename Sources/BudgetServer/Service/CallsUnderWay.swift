import TCPTransport

/// The call ids that each connection of a lane waits for. A second request with one of them is
/// refused: its reply could not be told from the first's.
struct CallsUnderWay {
  /// A call that waits.
  struct Call {
    var method: Int
    var receivedAt: MonotonicInstant
  }

  /// By the connection's slot in its lane.
  private var calls: [[UInt64: Call]] = []

  /// Whether `callID` is under way on the connection.
  func contains(_ callID: UInt64, on connection: ConnectionID) -> Bool {
    guard connection.slot < calls.count else { return false }
    let waiting = calls[connection.slot]
    return !waiting.isEmpty && waiting[callID] != nil
  }

  /// Notes a call that is answered later.
  mutating func insert(_ callID: UInt64, _ call: Call, on connection: ConnectionID) {
    while calls.count <= connection.slot { calls.append([:]) }
    calls[connection.slot][callID] = call
  }

  /// Notes that a call was answered.
  mutating func remove(_ callID: UInt64, on connection: ConnectionID) -> Call? {
    calls[connection.slot].removeValue(forKey: callID)
  }

  /// Forgets the connection's calls.
  mutating func removeAll(on connection: ConnectionID) {
    if connection.slot < calls.count { calls[connection.slot] = [:] }
  }
}
