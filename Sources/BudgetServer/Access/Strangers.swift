import TCPTransport

/// The connections whose peers have not said who they are, the oldest first. A value.
///
/// With one too many, the address that has the most of them gives up its oldest: who fills the places
/// makes room, and who comes to say who they are has the time that takes.
struct Strangers {
  private let bound: Int
  private var waiting: [(connection: ConnectionID, address: String)] = []

  init(bound: Int = 256) { self.bound = bound }

  /// How many there are.
  var count: Int { waiting.count }

  /// Adds one; names the one that has to go for it.
  mutating func arrive(_ connection: ConnectionID, from address: String) -> ConnectionID? {
    waiting.append((connection, address))
    guard waiting.count > bound else { return nil }
    let counts = waiting.reduce(into: [:]) { $0[$1.address, default: 0] += 1 }
    let most = counts.values.max() ?? 0
    guard let place = waiting.firstIndex(where: { counts[$0.address] == most }) else { return nil }
    return waiting.remove(at: place).connection
  }

  /// One has said who it is, or has gone.
  mutating func leave(_ connection: ConnectionID) {
    waiting.removeAll { $0.connection == connection }
  }
}
