import BudgetWire
import Locks
import Sockets
import TCPTransport
import WholeRequests

@testable import BudgetClient

/// A server that does with each request what the test says.
final class FakeServer: Sendable {
  /// A request as the test sees it.
  struct Seen: Sendable, Equatable {
    var callID: UInt64
    var timeoutMilliseconds: UInt32
    var isRecord: Bool
    var isReserve = false
    /// Whether candidates are filtered, and something reserved for one.
    var isFilter = false
    /// The idempotency key of what reserves.
    var key = ""
    /// The reservation that is settled or released.
    var reservation: String?
    /// Shown by Authenticate.
    var token: String?
    /// Which connection it came on, from 1.
    var connection: Int
    var id: ConnectionID
  }

  /// The server's reaction to a request.
  enum Act: Sendable {
    /// Answers as a server would.
    case answer
    /// Answers with this status.
    case refuse(RPCStatus)
    /// Answers under another id.
    case answerAs(UInt64)
    /// Sends a frame that is no response.
    case garbage
    /// Keeps the request, for `release`.
    case hold
    /// Closes the connection without an answer.
    case drop
  }

  let transport: TCPServer
  private let log: Log

  var address: String { transport.localAddress.description }
  var seen: [Seen] { log.state.withLock { $0.seen } }
  /// How many connections have ended.
  var closed: Int { log.state.withLock { $0.closed } }

  fileprivate final class Log: Sendable {
    struct State {
      var seen: [Seen] = []
      var connections: [ConnectionID: Int] = [:]
      var closed = 0
    }
    let state = Locked(State())
  }

  init(
    address: String = "127.0.0.1:0", connections: Int = 100,
    _ act: @escaping @Sendable (Seen) -> Act
  ) throws {
    let log = Log()
    self.log = log
    var bounds = TransportBounds.standard
    bounds.connections = connections
    transport = try TCPServer(address: try SocketAddress(address), bounds: bounds, lanes: 1) {
      _, _ in
      Handler(log, act)
    }
    transport.start()
  }

  /// Answers requests that were held.
  func release(_ held: [Seen]) {
    var batch = ReplyBatch()
    for request in held {
      batch.append(to: request.id) { Self.answer(request, as: request.callID, &$0) }
    }
    transport.replies.post(batch)
  }

  fileprivate static func answer(_ request: Seen, as callID: UInt64, _ output: inout [UInt8]) {
    let writer = ResponseWriter()
    if request.token != nil {
      writer.appendAuthenticate(role: "spend", callID: callID, to: &output)
    } else if request.isReserve {
      var held = FilterReply.ReservationReply()
      held.id = Array("r1-\(request.callID)".utf8)
      held.amountUSD = 0.5
      writer.appendReserveSpend(held, callID: callID, to: &output)
    } else if request.isFilter {
      var held = FilterReply.ReservationReply()
      held.id = Array("r1-\(request.callID)".utf8)
      held.amountUSD = 0.5
      var reply = FilterReply()
      reply.choose(0, held)
      _ = writer.appendFilterDeployments(&reply, callID: callID, to: &output)
    } else if !request.isRecord, request.reservation != nil {
      writer.appendReleased(true, callID: callID, to: &output)
    } else if request.isRecord {
      // The charge tells which call it answers.
      writer.appendRecordSpend(
        RecordSpendResponse(isDuplicate: false, budgetsCharged: Int(request.callID)),
        callID: callID, to: &output)
    } else {
      var ping = PingResponse()
      ping.nodeID = "\(request.callID)"
      ping.isReady = true
      writer.appendPing(ping, callID: callID, to: &output)
    }
  }

  private final class Handler: FrameHandler {
    private let log: Log
    private let act: @Sendable (Seen) -> Act
    private var decoder = RequestDecoder()

    init(_ log: Log, _ act: @escaping @Sendable (Seen) -> Act) {
      self.log = log
      self.act = act
    }

    func replied(to connection: ConnectionID, tag: UInt64) {}

    func connectionOpened(_ connection: ConnectionID, peer: Peer) -> PeerStanding {
      log.state.withLock { $0.connections[connection] = $0.connections.count + 1 }
      return .known
    }

    func handle(
      _ body: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
      output: inout [UInt8]
    ) -> FrameOutcome {
      let number = log.state.withLock { $0.connections[connection] ?? 0 }
      guard
        let seen = try? decoder.withRequest(
          frame: body,
          { request in
            var seen = Seen(
              callID: request.callID, timeoutMilliseconds: request.timeoutMilliseconds,
              isRecord: false, connection: number, id: connection)
            switch request.method {
            case .recordSpend(let view):
              seen.isRecord = true
              if !view.reservationID.isEmpty { seen.reservation = view.reservationID.text }
            case .reserveSpend(let view):
              seen.isReserve = true
              seen.key = view.idempotencyKey.text
            case .filterDeployments(let view):
              seen.isFilter = view.reserve.isWanted
              seen.key = view.reserve.idempotencyKey.text
            case .releaseReservation(let view): seen.reservation = view.reservationID.text
            case .authenticate(let view): seen.token = view.token.text
            default: break
            }
            return seen
          })
      else {
        // A client of ours that sends what is no request: the test sees an unanswered call.
        return .answered
      }
      log.state.withLock { $0.seen.append(seen) }
      switch act(seen) {
      case .answer: FakeServer.answer(seen, as: seen.callID, &output)
      case .answerAs(let callID): FakeServer.answer(seen, as: callID, &output)
      case .refuse(let status):
        ResponseWriter().appendStatus(status, callID: seen.callID, to: &output)
      case .garbage: output += [0, 0, 0, 3, 0xFF, 0xFF, 0xFF]
      case .hold: return .deferred
      case .drop: return .close
      }
      return .answered
    }

    func refusal(_ reason: ConnectionRefusal, output: inout [UInt8]) {
      let status = RPCStatus(.unavailable, "too many connections")
      ResponseWriter().appendStatus(status, callID: 0, to: &output)
    }
    func connectionClosed(_ connection: ConnectionID, requestsUnderWay: Int, midFrame: Bool) {
      log.state.withLock { $0.closed += 1 }
    }
  }
}
