import Locks
import Synchronization
public import TLS

/// The bounds on what a client of the port may use.
public struct HTTPBounds: Sendable {
  /// Connections at one time.
  public var connections = 64
  /// A request's line and headers, and a form's fields, in bytes.
  public var requestBytes = 8 * 1_024
  /// The one path that takes a posted form, its fields among the bytes of the request; nil: none does,
  /// and a body is refused.
  public var formPath: String?
  /// From a request's first byte to its last.
  public var requestDuration: Duration = .seconds(5)
  /// How long a connection may stand without a request.
  public var idleDuration: Duration = .seconds(60)
  /// How long a reader may take nothing of a response.
  public var stallDuration: Duration = .seconds(5)
  /// How long a reader may take for a whole response.
  public var responseDuration: Duration = .seconds(20)
  /// Bytes of responses that were not taken yet; a body that several connections share counts once.
  public var unsentBytes = 64 * 1_024 * 1_024
  /// How long a refused connection is read on, so that it sees the refusal.
  public var lingerDuration: Duration = .seconds(1)
  /// How many bytes are read of it and thrown away.
  public var lingerBytes = 4 * 1_024 * 1_024
  /// How long accepting rests when the process is out of descriptors.
  public var acceptPause: Duration = .milliseconds(100)
  /// How long responses under way may take once the port stops.
  public var stopDuration: Duration = .milliseconds(500)

  /// The bounds as documented.
  public static let standard = HTTPBounds()

  /// Makes the standard bounds, to be changed one by one.
  public init() {}
}

/// The bounds whose meetings are counted.
public enum HTTPBound: String, CaseIterable, Sendable {
  /// The connection longest without a request was closed to make room, or one had to wait.
  case connections
  /// A request was too long, or came with a body that is no form.
  case requestBytes = "request_bytes"
  /// A request took too long to come.
  case requestTime = "request_time"
  /// A reader took nothing for too long, or too long for a response.
  case stallTime = "stall_time"
  /// A reader was cut off since too many bytes waited.
  case responseBytes = "response_bytes"
}

/// A port's counters; written by its thread, read by anyone.
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

  /// Handshakes that were done.
  public var handshakes: Int { handshakesDone.load(ordering: .relaxed) }
  /// Encrypted connections that failed, by kind, in the handshake or later.
  public var failures: [TLSFailure.Kind: Int] { failed.withLock { $0 } }

  private let handshakesDone = Atomic<Int>(0)
  private let failed = Locked<[TLSFailure.Kind: Int]>([:])
  private let open = Atomic<Int>(0)
  private let connectionBound = Atomic<Int>(0)
  private let requestBytes = Atomic<Int>(0)
  private let requestTime = Atomic<Int>(0)
  private let stallTime = Atomic<Int>(0)
  private let responseBytes = Atomic<Int>(0)

  /// Starts at zero.
  public init() {}

  func count(openConnections: Int) { open.store(openConnections, ordering: .relaxed) }

  func countHandshake() { handshakesDone.add(1, ordering: .relaxed) }

  func count(_ failure: TLSFailure) { failed.withLock { $0[failure.kind, default: 0] += 1 } }

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
