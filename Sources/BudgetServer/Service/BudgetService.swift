import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger
import TCPTransport

/// Answers the requests of one lane: one switch over the methods, then encoding.
///
/// A value of its lane's `LaneService`. It owns what a request needs on its way, so that the next
/// one finds it warm: the reply under construction, the engine's questions and answers.
struct BudgetService {
  let context: ServiceContext
  var catalogs: CatalogReader
  var question = FilterQuestion()
  var decision = FilterDecision()
  var charged = ChargedSlots()
  var keys = RecordKeyMaker()
  private var calls = CallsUnderWay()
  let responses: ResponseWriter
  var filterReply: FilterReply
  var knownFilters = KnownFilters()
  /// Names of this request that were counted as strange, or models without a provider.
  var oddNames = 0

  init(context: ServiceContext) {
    self.context = context
    catalogs = CatalogReader(engine: context.engine)
    responses = ResponseWriter(bounds: context.bounds)
    filterReply = FilterReply(bounds: context.bounds)
  }

  /// A connection has gone: its call ids are free.
  mutating func forget(_ connection: ConnectionID) { calls.removeAll(on: connection) }

  /// A call was answered: its id is free.
  mutating func forget(_ callID: UInt64, on connection: ConnectionID) {
    calls.remove(callID, on: connection)
  }

  /// One request, one path. `message` is its method's, as far as `FilterEnvelope` could tell.
  mutating func serve(
    _ request: WireRequest, message: NameBytes, from connection: ConnectionID,
    receivedAt: MonotonicInstant, output: inout [UInt8]
  ) -> FrameOutcome {
    let callID = request.callID
    guard
      mayServe(
        callID, timeoutMilliseconds: request.timeoutMilliseconds, from: connection,
        receivedAt: receivedAt, output: &output)
    else { return .answered }
    do throws(ServiceRefusal) {
      switch request.method {
      case .filterDeployments(let method):
        try filter(method, message: message, callID: callID, output: &output)
      case .recordSpend(let method):
        let token = LedgerToken(high: connection.word, low: callID)
        guard try record(method, token: token, output: &output) else { break }
        calls.insert(callID, on: connection)
        return .deferred
      case .backupLedger(let method):
        try backUp(method, token: LedgerToken(high: connection.word, low: callID))
        calls.insert(callID, on: connection)
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

  /// Whether the call's id is free and its time not over; where not, the reply says so.
  func mayServe(
    _ callID: UInt64, timeoutMilliseconds: UInt32, from connection: ConnectionID,
    receivedAt: MonotonicInstant, output: inout [UInt8]
  ) -> Bool {
    guard !calls.contains(callID, on: connection) else {
      reply(
        RPCStatus(
          .invalidArgument,
          "call_id \(callID) is under way on this connection: use ids that are not"),
        to: callID, output: &output)
      return false
    }
    guard timeoutMilliseconds > 0 else { return true }
    let timeout = Duration.milliseconds(Int64(timeoutMilliseconds))
    guard MonotonicInstant.now() < receivedAt.advanced(by: timeout) else {
      reply(
        RPCStatus(
          .deadlineExceeded,
          "timeout_ms \(timeoutMilliseconds) passed before work started; nothing applied"
        ), to: callID, output: &output)
      return false
    }
    return true
  }

  func reply(_ status: RPCStatus, to callID: UInt64, output: inout [UInt8]) {
    if status.code == .invalidArgument { context.counters.countRefusedRequest() }
    responses.appendStatus(status, callID: callID, to: &output)
  }

  static func status(of reason: ConnectionRefusal) -> RPCStatus {
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
