import BudgetWire
import Sockets
import TCPTransport
import Testing

@testable import BudgetClient

/// A tracker in virtual time, and what came of its calls.
struct TrackerDriver {
  var tracker: CallTracker
  var now = MonotonicInstant(nanoseconds: 1_000_000_000)
  /// How each call ended, and how often.
  var ends: [Call.Ticket: [Result<ResponseMessage, BudgetClientError>]] = [:]
  var connects: [(generation: Int, after: Duration)] = []
  var disconnects: [Int] = []
  var wakes: [MonotonicInstant] = []
  var isSendWanted = false

  init(_ change: (inout CallTracker.Bounds) -> Void = { _ in }) {
    var bounds = CallTracker.Bounds()
    change(&bounds)
    tracker = CallTracker(bounds: bounds)
  }

  /// Begins a call; a record unless told otherwise.
  mutating func begin(
    _ ticket: Call.Ticket, reads: Bool = false, timeout: Duration = .seconds(5)
  ) {
    let call = Call(
      method: reads ? .ping : .recordSpend(RecordSpendRequest(costUSD: 1)), timeout: timeout,
      deadline: now.advanced(by: timeout))
    take(tracker.begin(ticket, call, at: now))
  }

  /// The newest attempt to connect succeeds.
  mutating func connect() {
    take(tracker.connected(tracker.generation, at: now))
  }

  /// Gives all requests to the socket, which takes them; says their call ids.
  @discardableResult
  mutating func send() -> [Call.Ticket: UInt64] {
    var sent: [Call.Ticket: UInt64] = [:]
    let generation = tracker.generation
    while let batch = tracker.nextBatch(generation, at: now) {
      for call in batch { sent[call.ticket] = call.request.callID }
      take(tracker.batchEnded(generation, isTaken: true, at: now, fraction: 0.5))
    }
    return sent
  }

  mutating func answer(_ callID: UInt64, _ status: RPCStatus? = nil) {
    take(
      tracker.received(
        Self.response(callID, status), on: tracker.generation, at: now, fraction: 0.5))
  }

  /// A response without a result, as it is read off the wire.
  static func response(_ callID: UInt64, _ status: RPCStatus? = nil) -> ResponseMessage {
    var bytes: [UInt8] = []
    ResponseWriter().appendStatus(status ?? RPCStatus(.ok), callID: callID, to: &bytes)
    return read(bytes)
  }

  /// The answer that all candidates are over budget.
  static func exhausted(_ callID: UInt64) -> ResponseMessage {
    var reply = FilterReply()
    reply.statusCode = .resourceExhausted
    reply.statusMessage = Array("No deployments available".utf8)
    var bytes: [UInt8] = []
    ResponseWriter().appendFilterDeployments(&reply, callID: callID, to: &bytes)
    return read(bytes)
  }

  private static func read(_ frame: [UInt8]) -> ResponseMessage {
    var decoder = ResponseDecoder()
    let message = Array(frame.dropFirst(FrameHeader.byteCount))
    do throws(ResponseFault) {
      return try decoder.response(frame: message.span)
    } catch {
      preconditionFailure("the writer's own frame is not read: \(error)")
    }
  }

  mutating func lose(_ generation: Int? = nil) {
    take(
      tracker.lost(
        generation ?? tracker.generation, .connectionLost(why: "test", nil), at: now,
        fraction: 0.5))
  }

  mutating func wait(_ duration: Duration) {
    now = now.advanced(by: duration)
    take(tracker.timePassed(at: now, fraction: 0.5))
  }

  mutating func take(_ actions: [CallAction]) {
    for action in actions {
      switch action {
      case .connect(let generation, let after): connects.append((generation, after))
      case .disconnect(let generation): disconnects.append(generation)
      case .send: isSendWanted = true
      case .wake(let at): wakes.append(at)
      case .finish(let ticket, let end): ends[ticket, default: []].append(end)
      }
    }
  }

  /// How the call ended, once; nil while it is under way.
  func end(
    _ ticket: Call.Ticket, sourceLocation: SourceLocation = #_sourceLocation
  ) -> Result<ResponseMessage, BudgetClientError>? {
    let all = ends[ticket] ?? []
    #expect(all.count <= 1, "ended more than once", sourceLocation: sourceLocation)
    return all.first
  }

  func error(_ ticket: Call.Ticket) -> BudgetClientError? {
    guard case .failure(let error)? = end(ticket) else { return nil }
    return error
  }

  func isAnswered(_ ticket: Call.Ticket) -> Bool {
    guard case .success? = end(ticket) else { return false }
    return true
  }
}
