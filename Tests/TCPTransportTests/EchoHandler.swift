import Locks
import Synchronization
import Testing

@testable import Sockets
@testable import TCPTransport

/// The events that handlers saw; shared with the test.
final class EchoLog: Sendable {
  struct State {
    var deferred: [(connection: ConnectionID, body: [UInt8])] = []
    var peers: [Peer] = []
    /// The slots of connections whose peers are known no more.
    var revoked: Set<Int> = []
    var closed: [(requestsUnderWay: Int, midFrame: Bool)] = []
  }
  /// Whether peers have to introduce themselves.
  let isStrict: Bool
  private let state = Locked(State())

  /// Whether all connections are of one client.
  let oneClient: Bool

  init(isStrict: Bool = false, oneClient: Bool = false) {
    self.isStrict = isStrict
    self.oneClient = oneClient
  }

  // Not in the state: thread sanitizer does not see through a Locked that is fought over.
  private let handledCount = Atomic<Int>(0)

  var handled: Int { handledCount.load(ordering: .relaxed) }
  func noteHandled() { handledCount.add(1, ordering: .relaxed) }

  var now: State { state.withLock { $0 } }
  func note(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }
}

/// Sends every body back, but for these: `d...` later, `c...` and closes, `z...` later and closes, `i...`
/// and knows the peer, `b` as one MiB.
final class EchoHandler: FrameHandler {
  private let log: EchoLog

  /// Frames since the turn's cost was last asked for.
  private var cost = 0

  init(_ log: EchoLog) { self.log = log }

  func connectionOpened(_ connection: ConnectionID, peer: Peer) -> PeerStanding {
    log.note { $0.peers.append(peer) }
    return log.isStrict ? .unknown : .known
  }

  func review(_ connection: ConnectionID) -> PeerStanding {
    log.now.revoked.contains(connection.slot) ? .unknown : .known
  }

  func handle(
    _ body: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome {
    let bytes = unsafe body.withUnsafeBytes { unsafe Array($0) }
    log.noteHandled()
    cost += 1
    switch bytes.first {
    case UInt8(ascii: "d"):
      log.note { $0.deferred.append((connection, bytes)) }
      return .deferred
    case UInt8(ascii: "z"):
      log.note { $0.deferred.append((connection, bytes)) }
      return .closeAfterReply
    case UInt8(ascii: "i"):
      output += frame(bytes)
      return .introduced
    case UInt8(ascii: "c"):
      output += frame(bytes)
      return .close
    case UInt8(ascii: "b"):
      output += frame([UInt8](repeating: 7, count: 1024 * 1024))
      return .answered
    default:
      output += frame(bytes)
      return .answered
    }
  }

  func replied(to connection: ConnectionID, tag: UInt64) {}

  func client(of connection: ConnectionID) -> String {
    log.oneClient ? "one" : "\(connection.word)"
  }

  func turnCost() -> Int { exchange(&cost, with: 0) }

  func refusal(_ reason: ConnectionRefusal, output: inout [UInt8]) {
    output += frame("refused: \(reason)")
  }

  func connectionClosed(_ connection: ConnectionID, requestsUnderWay: Int, midFrame: Bool) {
    log.note { $0.closed.append((requestsUnderWay, midFrame)) }
  }
}

/// A server that echoes, on a free port of 127.0.0.1.
func echoServer(
  _ log: EchoLog = EchoLog(), lanes: Int = 2, rest: LaneRest = .standard,
  _ change: (inout TransportBounds) -> Void = { _ in }
) throws -> TCPServer {
  var bounds = TransportBounds.standard
  change(&bounds)
  let server = try TCPServer(
    address: try SocketAddress("127.0.0.1:0"), bounds: bounds, lanes: lanes, rest: rest
  ) { _, _ in EchoHandler(log) }
  server.start()
  return server
}

/// Waits until `condition` holds; records an issue when it does not within ten seconds.
func eventually(
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) async throws {
  let until = MonotonicInstant.now().advanced(by: .seconds(10))
  while !condition() {
    if MonotonicInstant.now() > until {
      Issue.record("never: \(what)", sourceLocation: sourceLocation)
      return
    }
    try await Task.sleep(for: .milliseconds(1))
  }
}
