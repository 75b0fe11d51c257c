import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger
import TCPTransport

/// Answers the frames of one lane: decode, one switch over the methods, encode.
///
/// Confined to its lane. It owns what a request needs on its way, so that the next one finds it
/// warm: the decoder's arena, the reply under construction, the engine's questions and answers.
final class BudgetService: FrameHandler {
  let context: ServiceContext
  var catalogs: CatalogReader
  var question = FilterQuestion()
  var decision = FilterDecision()
  var charged = ChargedSlots()
  var keys = RecordKeyMaker()
  private var calls = CallsUnderWay()
  /// What this lane counts.
  let counts: RequestCounts
  /// How the request under way is answered, for counting.
  var answer = StatusCode.ok
  private var times = TurnTimes()
  private var decoder: RequestDecoder
  let responses: ResponseWriter
  var filterReply: FilterReply

  init(context: ServiceContext) {
    self.context = context
    counts = context.requests.writer()
    catalogs = CatalogReader(engine: context.engine)
    decoder = RequestDecoder(bounds: context.bounds)
    responses = ResponseWriter(bounds: context.bounds)
    filterReply = FilterReply(bounds: context.bounds)
  }

  func connectionOpened(_ connection: ConnectionID) {}

  func connectionClosed(_ connection: ConnectionID, requestsUnderWay: Int, midFrame: Bool) {
    calls.removeAll(on: connection)
  }

  func replied(to connection: ConnectionID, tag: UInt64) {
    guard let call = calls.remove(tag, on: connection) else { return }
    times.note(call.method, receivedAt: call.receivedAt)
  }

  func turnEnded() {
    if !times.hasNothing { times.end(at: .now(), in: counts) }
  }

  func handle(
    _ body: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome {
    answer = .ok
    do throws(WireRefusal) {
      return try decoder.withRequest(frame: body) { request in
        let method = request.method.counted
        let outcome = serve(
          request, method, from: connection, receivedAt: receivedAt, output: &output)
        if outcome != .deferred { finish(method, receivedAt: receivedAt) }
        return outcome
      }
    } catch {
      reply(error.status, to: error.callID, output: &output)
      finish(CountedMethod.unknown, receivedAt: receivedAt)
      return .answered
    }
  }

  /// Counts a request that was answered at once.
  private func finish(_ method: Int, receivedAt: MonotonicInstant) {
    counts.count(method, answer)
    times.note(method, receivedAt: receivedAt)
  }

  func refusal(_ reason: ConnectionRefusal, output: inout [UInt8]) {
    reply(Self.status(of: reason), to: 0, output: &output)
  }

  /// One request, one path.
  private func serve(
    _ request: WireRequest, _ counted: Int, from connection: ConnectionID,
    receivedAt: MonotonicInstant, output: inout [UInt8]
  ) -> FrameOutcome {
    let callID = request.callID
    guard !calls.contains(callID, on: connection) else {
      reply(
        RPCStatus(
          .invalidArgument,
          "call_id \(callID) is under way on this connection: use ids that are not"),
        to: callID, output: &output)
      return .answered
    }
    if request.timeoutMilliseconds > 0 {
      let timeout = Duration.milliseconds(Int64(request.timeoutMilliseconds))
      guard MonotonicInstant.now() < receivedAt.advanced(by: timeout) else {
        reply(
          RPCStatus(
            .deadlineExceeded,
            "timeout_ms \(request.timeoutMilliseconds) passed before work started; nothing applied"
          ), to: callID, output: &output)
        return .answered
      }
    }
    do throws(ServiceRefusal) {
      switch request.method {
      case .filterDeployments(let method): try filter(method, callID: callID, output: &output)
      case .recordSpend(let method):
        let token = LedgerToken(high: connection.word, low: callID)
        guard try record(method, token: token, output: &output) else { break }
        calls.insert(callID, .init(method: counted, receivedAt: receivedAt), on: connection)
        return .deferred
      case .backupLedger(let method):
        try backUp(method, token: LedgerToken(high: connection.word, low: callID))
        calls.insert(callID, .init(method: counted, receivedAt: receivedAt), on: connection)
        return .deferred
      case .getProviderBudgets(let method): try budgets(method, callID: callID, output: &output)
      case .ping: ping(callID: callID, output: &output)
      case .later(let method):
        throw ServiceRefusal(.unimplemented, "\(method) is not part of this build")
      case .none:
        throw ServiceRefusal(.unimplemented, "the request has no method that this build knows")
      }
    } catch {
      reply(error.status, to: callID, output: &output)
    }
    return .answered
  }

  private func reply(_ status: RPCStatus, to callID: UInt64, output: inout [UInt8]) {
    if status.code == .invalidArgument { context.counters.countRefusedRequest() }
    answer = status.code
    responses.appendStatus(status, callID: callID, to: &output)
  }

  private static func status(of reason: ConnectionRefusal) -> RPCStatus {
    switch reason {
    case .frameTooLarge(let length, let bound):
      RPCStatus(
        .resourceExhausted,
        "a frame of \(length) bytes was announced; at most \(bound) are taken; closing")
    case .frameTimedOut(let bound):
      RPCStatus(.deadlineExceeded, "a frame was not whole after \(bound); closing")
    case .tooManyConnections(let bound):
      RPCStatus(.unavailable, "the server has all the \(bound) connections it may; try again")
    case .draining:
      RPCStatus(.unavailable, "the server is shutting down; what it did not answer is not applied")
    }
  }
}

extension WireMethod {
  /// What requests of the method are counted under.
  @inline(__always)
  fileprivate var counted: Int {
    switch self {
    case .filterDeployments: CountedMethod.position(of: .filterDeployments)
    case .recordSpend: CountedMethod.position(of: .recordSpend)
    case .getProviderBudgets: CountedMethod.position(of: .getProviderBudgets)
    case .ping: CountedMethod.position(of: .ping)
    case .backupLedger: CountedMethod.position(of: .backupLedger)
    case .later(let name): CountedMethod.position(of: name)
    case .none: CountedMethod.unknown
    }
  }
}
