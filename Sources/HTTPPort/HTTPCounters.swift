import Synchronization

/// What a port has counted; written by its thread, read by anyone.
public final class HTTPCounters: Sendable {
  /// Connections open now.
  public var connections: Int { open.load(ordering: .relaxed) }

  /// How often a bound was met.
  public func hits(_ bound: HTTPBound) -> Int {
    switch bound {
    case .connections: connectionBound.load(ordering: .relaxed)
    case .requestBytes: requestBytes.load(ordering: .relaxed)
    case .requestTime: requestTime.load(ordering: .relaxed)
    case .stallTime: stallTime.load(ordering: .relaxed)
    case .responseBytes: responseBytes.load(ordering: .relaxed)
    }
  }

  private let open = Atomic<Int>(0)
  private let connectionBound = Atomic<Int>(0)
  private let requestBytes = Atomic<Int>(0)
  private let requestTime = Atomic<Int>(0)
  private let stallTime = Atomic<Int>(0)
  private let responseBytes = Atomic<Int>(0)

  /// Starts at zero.
  public init() {}

  func count(openConnections: Int) { open.store(openConnections, ordering: .relaxed) }

  func count(_ bound: HTTPBound) {
    switch bound {
    case .connections: connectionBound.add(1, ordering: .relaxed)
    case .requestBytes: requestBytes.add(1, ordering: .relaxed)
    case .requestTime: requestTime.add(1, ordering: .relaxed)
    case .stallTime: stallTime.add(1, ordering: .relaxed)
    case .responseBytes: responseBytes.add(1, ordering: .relaxed)
    }
  }
}
