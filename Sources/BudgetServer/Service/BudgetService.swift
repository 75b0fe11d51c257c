import BudgetEngine
import BudgetModel
import BudgetWire
import Sockets
import SpendLedger
import TCPTransport

/// Answers the requests of one lane. One door: head, gate, one switch over the methods, reply.
///
/// A value of its lane's `LaneService`. It owns what a request needs on its way, so that the next
/// one finds it warm: the reply under construction, the engine's questions and answers.
struct BudgetService: ~Copyable {
  let context: ServiceContext
  var catalogs: CatalogReader
  var gate = CallGate()
  /// Who is at the other end of each connection.
  var peers = LanePeers()
  var reader: MessageReader
  var questions: QuestionResolver
  var charges: ChargeResolver
  var reservations: ReservationResolver
  var filter: FilterInProgress
  var decision = FilterDecision()
  var denialText: DenialText
  var denials = RememberedDenials()
  var reserving: ReservationsInProgress
  let responses: ResponseWriter
  /// The counts of this lane.
  let counts: RequestCounts
  /// The same by budget.
  var denied: DenialTally
  /// How the request under way is answered, for counting.
  var answer = StatusCode.ok
  private var times = TurnTimes()
  /// Records since somebody last asked.
  private var records = 0
  /// When this turn began, by the fleet's clock; nil: nobody has asked yet.
  private var turnTime: Timestamp?
  /// The wall clock in this turn; nil: no key with a time has come.
  private var turnWall: Timestamp?

  init(context: ServiceContext) {
    self.context = context
    counts = context.requests.writer()
    denied = DenialTally(counts.budgetDenials)
    catalogs = CatalogReader(engine: context.engine)
    reader = MessageReader(context: context)
    questions = QuestionResolver(bounds: context.bounds)
    charges = ChargeResolver(
      recorder: context.recorder, engine: context.engine, time: context.time)
    reservations = ReservationResolver(engine: context.engine, time: context.time)
    filter = FilterInProgress(reply: FilterReply(bounds: context.bounds))
    reserving = ReservationsInProgress(bounds: context.bounds)
    denialText = DenialText(maximumBytes: context.bounds.maximumStatusMessageBytes)
    responses = ResponseWriter(bounds: context.bounds)
  }

  /// One request, one path.
  mutating func serve(
    _ frame: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome {
    let head: RequestHead
    do throws(WireRefusal) {
      head = try RequestHead(frame: frame, bounds: context.bounds)
    } catch {
      reply(error.status, to: error.callID, output: &output)
      finish(CountedMethod.unknown, receivedAt: receivedAt)
      return .answered
    }
    let call = Call(head, from: connection, receivedAt: receivedAt)
    var outcome = FrameOutcome.answered
    do throws(ServiceRefusal) {
      if let refusal = gate.refusal(of: call, head.method) {
        throw Administration.noted(refusal, of: head.method, by: peers[call.connection], context)
      }
      outcome = try answer(call, head, of: frame, output: &output)
      if outcome == .deferred || outcome == .closeAfterReply {
        gate.wait(for: call)
        return outcome
      }
    } catch {
      reply(error.status, to: call.id, output: &output)
    }
    finish(call.method, receivedAt: receivedAt)
    return outcome
  }

  /// The one switch over the methods. Says whether the reply was appended, or comes later.
  private mutating func answer(
    _ call: Call, _ head: RequestHead, of frame: RawSpan, output: inout [UInt8]
  ) throws(ServiceRefusal) -> FrameOutcome {
    switch head.method {
    case .filterDeployments:
      if try !filterDeployments(call, head, output: &output) { return try wait(call, frame) }
    case .recordSpend:
      records &+= 1
      return try recordSpend(head, token: call.token, output: &output) ? .answered : .deferred
    case .getProviderBudgets:
      return try getProviderBudgets(head, token: call.token, output: &output)
        ? .answered : .deferred
    case .getSpendHistory:
      try getSpendHistory(head, token: call.token)
      return .deferred
    case .explainRequest: try explainRequest(head, output: &output)
    case .backupLedger:
      try backupLedger(head, call)
      return .deferred
    case .authenticate: return try authenticate(head, call, output: &output)
    case .ping: try ping(head, from: call.connection, output: &output)
    case .reserveSpend:
      if try !reserveSpend(head, output: &output) { return try wait(call, frame) }
    case .releaseReservation: try releaseReservation(head, output: &output)
    case .extendReservation:
      if try !extendReservation(head, output: &output) { return try wait(call, frame) }
    case .setBudget?, .clearBudget?, .resetBudget?, .listChanges?, .reloadConfig?:
      let administration = Administration(call, head.method, by: peers[call.connection], context)
      try administration.take(head, &reader.decoder)
      return .deferred
    case nil:
      throw ServiceRefusal(.unimplemented, "the request has no method that this build knows")
    }
    return .answered
  }

  /// How many records were asked for since the last time.
  mutating func takeRecordCount() -> Int { exchange(&records, with: 0) }

  /// A call was answered that waited: its id is free.
  mutating func answered(_ callID: UInt64, on connection: ConnectionID) {
    guard let call = gate.answered(callID, on: connection) else { return }
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

  /// All answers since the last time are with the sockets.
  mutating func endTurn() {
    turnTime = nil
    turnWall = nil
    if !times.hasNothing { times.end(at: .now(), in: counts) }
  }

  /// Counts a request to `method`, a `CountedMethod`, that was answered at once.
  @inline(__always)
  private mutating func finish(_ method: Int, receivedAt: MonotonicInstant) {
    counts.count(method, answer)
    times.note(method, receivedAt: receivedAt)
    answer = .ok
  }

  mutating func reply(_ status: RPCStatus, to callID: UInt64, output: inout [UInt8]) {
    if status.code == .invalidArgument { context.counters.countRefusedRequest() }
    context.access.noteRefused(status.code)
    answer = status.code
    responses.appendStatus(status, callID: callID, to: &output)
  }

  /// Says why a connection is turned away. It answers no request: the transport counts it.
  func refuse(_ reason: ConnectionRefusal, output: inout [UInt8]) {
    context.access.noteClosing(reason)
    responses.appendStatus(RPCStatus(reason), callID: 0, to: &output)
  }
}

extension RPCStatus {
  /// Why a connection is turned away.
  init(_ reason: ConnectionRefusal) {
    switch reason {
    case .frameTooLarge(let length, let bound):
      self.init(
        .resourceExhausted,
        (ForeignProtocol(announced: length)?.sentence
          ?? "a frame of \(length) bytes was announced; at most \(bound) are taken") + "; closing")
    case .frameTimedOut(let bound):
      self.init(.deadlineExceeded, "a frame was not whole after \(bound); closing")
    case .tooManyConnections(let bound):
      self.init(.unavailable, "the server has all the \(bound) connections it may; try again")
    case .draining:
      self.init(
        .unavailable, "the server is shutting down; what it did not answer is not applied")
    case .unintroduced(let bound):
      self.init(
        .unauthenticated,
        "nobody said within \(bound) who this is: send Authenticate with a token first; closing")
    case .tooManyOfClient(let bound):
      self.init(
        .unavailable, "this client has all the \(bound) connections it may; close one, or try again"
      )
    case .displaced:
      self.init(
        .unavailable,
        "too many connections have not said who they are, and this one made room; try again")
    case .revoked:
      self.init(
        .unauthenticated, "this client is not known any more, or not by what it showed; closing")
    }
  }
}
