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
  /// What this lane counts.
  let counts: RequestCounts
  /// The same by budget.
  var denied: DenialTally
  /// How the request under way is answered, for counting.
  var answer = StatusCode.ok
  private var times = TurnTimes()
  /// When this turn began, by the fleet's clock; nil: nobody has asked yet.
  private var turnTime: Timestamp?
  /// The wall clock in this turn; nil: no key with a time has come.
  private var turnWall: Timestamp?
  let responses: ResponseWriter
  var filterReply: FilterReply
  var knownFilters = KnownFilters()
  var knownSubjects = KnownSubjects()
  /// Names of this request that were counted as strange, or models without a provider.
  var oddNames = 0

  init(context: ServiceContext) {
    self.context = context
    counts = context.requests.writer()
    denied = DenialTally(counts.budgetDenials)
    catalogs = CatalogReader(engine: context.engine)
    responses = ResponseWriter(bounds: context.bounds)
    filterReply = FilterReply(bounds: context.bounds)
  }

  /// A connection has gone: its call ids are free.
  mutating func forget(_ connection: ConnectionID) { calls.removeAll(on: connection) }

  /// A call was answered: its id is free.
  mutating func forget(_ callID: UInt64, on connection: ConnectionID) {
    guard let call = calls.remove(callID, on: connection) else { return }
    times.note(call.method, receivedAt: call.receivedAt)
  }

  /// The time that the requests of this turn are served at. One reading serves all of them: a turn
  /// lasts a millisecond.
  @inline(__always)
  mutating func now() -> Timestamp {
    if let turnTime { return turnTime }
    let now = context.time.now()
    turnTime = now
    return now
  }

  /// When a key was made, in fleet time: callers' clocks are held against the wall clock as it is
  /// now, whatever fleet time began with.
  mutating func fleetTime(ofKeyMadeAt madeAt: Timestamp) -> Timestamp {
    let wall = turnWall ?? context.time.wall()
    turnWall = wall
    return madeAt.moved(from: wall, to: now())
  }

  /// What was answered since the last time is with the sockets.
  mutating func endTurn() {
    turnTime = nil
    turnWall = nil
    if !times.hasNothing { times.end(at: .now(), in: counts) }
  }

  /// Counts a request to `method`, a `CountedMethod`, that was answered at once.
  @inline(__always)
  mutating func finish(_ method: Int, receivedAt: MonotonicInstant) {
    counts.count(method, answer)
    times.note(method, receivedAt: receivedAt)
    answer = .ok
  }

  /// One request, one path. `message` is its method's, as far as `MethodEnvelope` could tell.
  mutating func serve(
    _ request: WireRequest, message: NameBytes, from connection: ConnectionID,
    receivedAt: MonotonicInstant, output: inout [UInt8]
  ) -> FrameOutcome {
    let method = request.method.counted
    let outcome = answer(
      request, method, message: message, from: connection, receivedAt: receivedAt, output: &output)
    if case .deferred = outcome { return outcome }
    finish(method, receivedAt: receivedAt)
    return outcome
  }

  private mutating func answer(
    _ request: WireRequest, _ counted: Int, message: NameBytes, from connection: ConnectionID,
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
        guard try record(method, message: message, token: token, output: &output) else { break }
        wait(for: callID, counted, receivedAt: receivedAt, on: connection)
        return .deferred
      case .backupLedger(let method):
        try backUp(method, token: LedgerToken(high: connection.word, low: callID))
        wait(for: callID, counted, receivedAt: receivedAt, on: connection)
        return .deferred
      case .getProviderBudgets(let method): try budgets(method, callID: callID, output: &output)
      case .explainRequest(let method): try explain(method, callID: callID, output: &output)
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

  /// The call is answered later.
  mutating func wait(
    for callID: UInt64, _ counted: Int, receivedAt: MonotonicInstant, on connection: ConnectionID
  ) {
    calls.insert(callID, .init(method: counted, receivedAt: receivedAt), on: connection)
  }

  /// Whether the call's id is free and its time not over; where not, the reply says so.
  mutating func mayServe(
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

  mutating func reply(_ status: RPCStatus, to callID: UInt64, output: inout [UInt8]) {
    if status.code == .invalidArgument { context.counters.countRefusedRequest() }
    answer = status.code
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

extension WireMethod {
  /// What requests of the method are counted under.
  @inline(__always)
  fileprivate var counted: Int {
    switch self {
    case .filterDeployments: CountedMethod.position(of: .filterDeployments)
    case .recordSpend: CountedMethod.position(of: .recordSpend)
    case .getProviderBudgets: CountedMethod.position(of: .getProviderBudgets)
    case .explainRequest: CountedMethod.position(of: .explainRequest)
    case .ping: CountedMethod.position(of: .ping)
    case .backupLedger: CountedMethod.position(of: .backupLedger)
    case .later(let name): CountedMethod.position(of: name)
    case .none: CountedMethod.unknown
    }
  }
}
