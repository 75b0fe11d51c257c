import Locks

/// How the rest of the server asks for the fleet's status. Without Redis there is nobody to ask.
final class FleetWatch: Sendable {
  private let read = Locked<(@Sendable () -> FleetStatus)?>(nil)

  /// Who is asked from now on; it must not wait.
  func ask(_ read: @escaping @Sendable () -> FleetStatus) {
    self.read.withLock { $0 = read }
  }

  /// The status now; nil without Redis.
  var status: FleetStatus? {
    let read = read.withLock { $0 }
    return read?()
  }
}
