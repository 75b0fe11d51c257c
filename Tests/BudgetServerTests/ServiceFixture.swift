import Access
import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetPages
import BudgetWire
import Locks
import Logging
import NodeFixture
import Sockets
import SpendLedger
import Testing

@testable import BudgetServer
@testable import TCPTransport

/// Charges at once, without a disk, and says what it is told to say.
final class InstantRecorder: SpendRecorder {
  struct Taken: Equatable {
    var amount: PicoUSD
    var key: RecordKey?
    var token: LedgerToken
  }

  let engine: BudgetEngine
  private let answer = Locked(RecordAnswer.recorded)
  private let reason = Locked<String?>(nil)
  private let records = Locked<[Taken]>([])
  private let backupCount = Locked(0)
  private let pages = Locked<[HistoryPage]>([])
  private let answers = Locked<[@Sendable (UInt64, inout [UInt8]) -> StatusCode]>([])
  /// So many questions for later are taken.
  private let answerBound = 2

  init(engine: BudgetEngine) { self.engine = engine }

  /// The records that were taken so far.
  var taken: [Taken] { records.withLock { $0 } }

  /// How many copies were asked for so far.
  var backups: Int { backupCount.withLock { $0 } }

  /// The histories that were asked for so far.
  var histories: [HistoryPage] { pages.withLock { $0 } }

  func tellHistory(_ page: HistoryPage, token: LedgerToken) -> Bool {
    pages.withLock { $0.append(page) }
    return true
  }

  func answerLater(
    _ method: MethodName, token: LedgerToken,
    _ answer: @escaping @Sendable (UInt64, inout [UInt8]) -> StatusCode
  ) -> Bool {
    answers.withLock { answers in
      guard answers.count < answerBound else { return false }
      answers.append(answer)
      return true
    }
  }

  /// The oldest answer that waits, with the frame that it is told in; nil: none does.
  func takeAnswer(callID: UInt64) -> (code: StatusCode, frame: [UInt8])? {
    guard let answer = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return nil }
    var frame: [UInt8] = []
    let code = answer(callID, &frame)
    return (code, frame)
  }

  func answer(_ answer: RecordAnswer) { self.answer.withLock { $0 = answer } }

  func becomeUnready(_ reason: String) { self.reason.withLock { $0 = reason } }

  func expect(_ key: UInt128) {}

  func record(
    _ amount: PicoUSD, key: RecordKey?, to charged: borrowing ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer {
    records.withLock { $0.append(Taken(amount: amount, key: key, token: token)) }
    let answer = answer.withLock { $0 }
    if answer == .recorded, !engine.record(amount, to: copy charged, at: now) { return .outdated }
    return answer
  }

  func settle(
    _ record: SettlingRecord, to charged: borrowing ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer {
    records.withLock { $0.append(Taken(amount: record.amount, key: record.key, token: token)) }
    let answer = answer.withLock { $0 }
    guard answer == .recorded else { return answer }
    let begun = engine.addPending(
      record.amount, to: copy charged, settling: record.reservation, at: now)
    guard case .pending(let settlement) = begun else { return .outdated }
    engine.commit(record.amount, of: copy charged, at: now)
    engine.settled(settlement.word, cost: record.amount)
    return answer
  }

  func backUp(
    named name: String, token: LedgerToken, note: @escaping @Sendable (RPCStatus?) -> Void
  ) {
    backupCount.withLock { $0 += 1 }
    note(nil)
  }

  var totals: SpendTotals { SpendTotals() }

  func standing(at now: Timestamp) -> RecorderStanding {
    RecorderStanding(
      durability: "commit", notReadyReason: reason.withLock { $0 },
      idempotencyHorizon: Timestamp(unixMilliseconds: 42))
  }
}

/// Lines that were reported, in order.
final class Reports: Sendable {
  private let collected = Locked<[String]>([])

  var lines: [String] { collected.withLock { $0 } }

  func add(_ line: String) { collected.withLock { $0.append(line) } }
}

/// A lane's service without a lane: frames in, replies out.
struct ServiceFixture {
  static let start = Timestamp(unixMilliseconds: 1_768_435_200_000)

  let time: ManualTimeSource
  let engine: BudgetEngine
  let counters = ServiceCounters()
  /// The lines about providers that are others than the model list's.
  let reports = Reports()
  let contradictions: ProviderContradictions
  let requests = AllRequestCounts()
  let readiness: Readiness
  /// Time goes by only where a test says so.
  let uptime: ManualUptime
  let pace: SpendSampling
  let context: ServiceContext
  private(set) var service: LaneService
  let recorder: InstantRecorder
  let connection = ConnectionID(lane: LaneIndex(0), slot: 0, generation: 1)
  /// Whether each request is a turn of its own.
  var endsTurns = true

  init(
    _ budgets: [BudgetDefinition], deployments: [ConfiguredDeployment] = [],
    directory: ProviderDirectory = .empty
  ) {
    self.init(
      engine: BudgetEngine(
        configuration: BudgetConfiguration(
          budgets: budgets, deployments: deployments, directory: directory), at: Self.start),
      time: ManualTimeSource(Self.start))
  }

  /// A server with an access file.
  init(access table: AccessTable, peer: Peer = Peer(address: "10.1.2.3")) {
    self.init(
      engine: BudgetEngine(
        configuration: BudgetConfiguration(budgets: [], deployments: [], directory: .empty),
        at: Self.start),
      time: ManualTimeSource(Self.start), access: table, peer: peer)
  }

  init(
    engine: BudgetEngine, time: ManualTimeSource, fleet: FleetMember? = nil,
    access table: AccessTable = .open, peer: Peer = Peer(address: "127.0.0.1")
  ) {
    self.engine = engine
    self.time = time
    recorder = InstantRecorder(engine: engine)
    readiness = Readiness(recorder: recorder, fleet: fleet)
    contradictions = ProviderContradictions { [reports] in reports.add($0) }
    uptime = ManualUptime()
    pace = SpendSampling(engine, time, uptime: { [uptime] in uptime.now })
    context = ServiceContext(
      engine: engine, time: time, recorder: recorder, bounds: .standard,
      identity: NodeIdentity(version: "1.2.3", nodeID: "node-a"), counters: counters,
      contradictions: contradictions, requests: requests, readiness: readiness,
      pace: pace, access: AccessDesk(table, log: Logger(label: "test")),
      audit: AuditLog(log: Logger(label: "test")), fleet: fleet)
    service = LaneService(context: context)
    standing = service.connectionOpened(connection, peer: peer)
  }

  /// Whether the peer was known when it came.
  let standing: PeerStanding

  /// The same server, with a lane that has met nothing yet.
  func withNewLane() -> ServiceFixture {
    var fixture = self
    fixture.service = LaneService(context: context)
    _ = fixture.service.connectionOpened(connection, peer: Peer(address: "127.0.0.1"))
    return fixture
  }

  /// The reply to a request's body that arrived `age` ago.
  func reply(to body: [UInt8], age: Duration = .zero) throws -> ResponseMessage {
    var output: [UInt8] = []
    let receivedAt = MonotonicInstant.now().advanced(by: .zero - age)
    let outcome = service.handle(
      unsafe body.span.bytes, from: connection, receivedAt: receivedAt, output: &output)
    if endsTurns { service.turnEnded() }
    guard case .answered = outcome else {
      Issue.record("\(outcome)")
      throw ServiceFixtureError.noReply
    }
    return try Self.message(in: output)
  }

  /// The outcome of a method, and the reply that stands there at once; a turn of its own.
  func outcome(
    _ method: RequestMessage.Method, callID: UInt64 = 7
  ) throws -> (outcome: FrameOutcome, reply: ResponseMessage?) {
    let frame = try RequestMessage(callID: callID, method: method).frame()
    let body = Array(frame.dropFirst(FrameHeader.byteCount))
    var output: [UInt8] = []
    let outcome = service.handle(
      unsafe body.span.bytes, from: connection, receivedAt: .now(), output: &output)
    service.turnEnded()
    return (outcome, output.isEmpty ? nil : try Self.message(in: output))
  }

  /// Hands a method to the service, which is to answer it later.
  func callDeferred(_ method: RequestMessage.Method, callID: UInt64) throws {
    let frame = try RequestMessage(callID: callID, method: method).frame()
    let body = Array(frame.dropFirst(FrameHeader.byteCount))
    var output: [UInt8] = []
    let outcome = service.handle(
      unsafe body.span.bytes, from: connection, receivedAt: .now(), output: &output)
    if endsTurns { service.turnEnded() }
    guard case .deferred = outcome, output.isEmpty else {
      Issue.record("\(outcome) with \(output.count) bytes")
      throw ServiceFixtureError.noReply
    }
  }

  /// The reply to a method.
  func call(
    _ method: RequestMessage.Method?, callID: UInt64 = 7, timeoutMilliseconds: UInt32 = 0,
    age: Duration = .zero
  ) throws -> ResponseMessage {
    let frame = try RequestMessage(
      callID: callID, timeoutMilliseconds: timeoutMilliseconds, method: method
    ).frame()
    return try reply(to: Array(frame.dropFirst(FrameHeader.byteCount)), age: age)
  }

  /// The message in one whole frame.
  static func message(in frame: [UInt8]) throws -> ResponseMessage {
    #expect(FrameHeader.messageLength(in: frame.span) == frame.count - FrameHeader.byteCount)
    var decoder = ResponseDecoder()
    return try decoder.response(frame: frame.span.extracting(FrameHeader.byteCount...))
  }

  /// Five dollars a day for each tag that begins with `user:`.
  static func usersPattern() throws -> BudgetPattern {
    BudgetPattern(
      key: BudgetKey(scope: .tag, name: "user:*", windowText: "day"),
      rule: try WindowRule(text: "day"), policy: BudgetPolicy(limit: PicoUSD(dollars: 5)))
  }

  static func budget(
    _ scope: BudgetScope, _ name: String, _ dollars: Int64?, _ window: String = "1d"
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      windowLength: try WindowLength(text: window), limit: dollars.map { PicoUSD(dollars: $0) })
  }
}

enum ServiceFixtureError: Error {
  case noReply
  case otherResult
}

extension ResponseMessage {
  /// The answer to a filter.
  var filtered: FilterDeploymentsResponse {
    get throws {
      guard case .filterDeployments(let result) = result else {
        throw ServiceFixtureError.otherResult
      }
      return result
    }
  }

  /// The answer to a record.
  var recorded: RecordSpendResponse {
    get throws {
      guard case .recordSpend(let result) = result else { throw ServiceFixtureError.otherResult }
      return result
    }
  }

  /// The answer to a ping.
  var pinged: PingResponse {
    get throws {
      guard case .ping(let result) = result else { throw ServiceFixtureError.otherResult }
      return result
    }
  }

  /// A page of budgets.
  var page: GetProviderBudgetsResponse {
    get throws {
      guard case .providerBudgets(let result) = result else {
        throw ServiceFixtureError.otherResult
      }
      return result
    }
  }

  /// Every budget's verdict.
  var explained: ExplainRequestResponse {
    get throws {
      guard case .explained(let result) = result else { throw ServiceFixtureError.otherResult }
      return result
    }
  }
}
