import BudgetWire
import Sockets
import TCPTransport

/// Which calls are under way, where their requests are and what becomes of them: the client without
/// sockets, clocks and tasks.
///
/// A value: each method takes something that happened and returns what is to be done. Every call
/// that was begun gets exactly one `.finish`. Costs are constant per call, but for deadlines,
/// disconnects and closing, which look at all calls.
struct CallTracker {
  /// The bounds and durations that the tracker keeps.
  struct Bounds: Hashable {
    /// Calls under way on the connection; those given up but not answered count.
    var callsUnderWay = 4_096
    /// Calls that wait for a connection or for their turn.
    var callsWaiting = 65_536
    /// Requests that are given to the socket in one go.
    var callsPerBatch = 64
    /// A connection is not used again after resting this long: the server closes those that rest
    /// for five minutes, and a record that crosses with that would end unknown.
    var idle: Duration = .seconds(240)
    /// A connection that owes answers and said nothing for this long when a call times out is
    /// taken for dead.
    var silence: Duration = .seconds(10)
    var backoff = Backoff(shortest: .milliseconds(50), longest: .seconds(5))
  }

  enum Link: Hashable {
    case down
    case connecting(generation: Int)
    case open(generation: Int)
    case closed
  }

  let bounds: Bounds
  var link: Link = .down
  var calls: [Call.Ticket: Call] = [:]
  var waiting = TicketQueue()
  var waitingCount = 0
  /// The calls of this connection by their call ids.
  var tickets: [UInt64: Call.Ticket] = [:]
  /// Ids of calls that were given up after the socket had them, and are not answered.
  var abandoned: Set<UInt64> = []
  var nextCallID: UInt64 = 1
  var queued = TicketQueue()
  var isSending = false
  /// By generation: the batch that is being given to the socket.
  var batches: [Int: [Call.Ticket]] = [:]
  /// By generation: why the connection ended while a batch was being given to the socket.
  var endings: [Int: BudgetClientError.Reason] = [:]
  /// The server's last words about the connection as a whole.
  var farewell: RPCStatus?
  var generation = 0
  var failures = 0
  var connectNotBefore = MonotonicInstant(nanoseconds: .min)
  /// When the connection was last heard of, or began to owe answers.
  var lastHeard = MonotonicInstant(nanoseconds: .min)
  private var wakeAt = MonotonicInstant.never

  init(bounds: Bounds = Bounds()) { self.bounds = bounds }

  /// How many calls the server may be at work on.
  var underWay: Int { tickets.count + abandoned.count }

  /// Begins a call; `ticket` is new.
  mutating func begin(
    _ ticket: Call.Ticket, _ call: Call, at now: MonotonicInstant
  ) -> [CallAction] {
    if link == .closed { return [.finish(ticket, .failure(.notApplied(.clientClosed)))] }
    guard call.deadline > now else {
      return [.finish(ticket, .failure(.notApplied(.timedOut(after: call.timeout))))]
    }
    guard waitingCount < bounds.callsWaiting else {
      return [.finish(ticket, .failure(.notApplied(.tooManyCalls(bound: bounds.callsWaiting))))]
    }
    var actions: [CallAction] = []
    if case .open(let generation) = link, underWay == 0,
      now.duration(since: lastHeard) >= bounds.idle
    {
      leaveConnection()
      actions.append(.disconnect(generation: generation))
    }
    calls[ticket] = call
    waiting.append(ticket)
    waitingCount += 1
    if call.deadline < wakeAt {
      wakeAt = call.deadline
      actions.append(.wake(at: wakeAt))
    }
    return actions + proceed(at: now)
  }

  /// The caller no longer wants the answer.
  mutating func cancel(_ ticket: Call.Ticket, at now: MonotonicInstant) -> [CallAction] {
    guard let call = calls[ticket] else { return [] }
    return giveUp(ticket, call, .cancelled) + proceed(at: now)
  }

  /// Ends the calls whose deadlines have come.
  mutating func timePassed(at now: MonotonicInstant, fraction: Double) -> [CallAction] {
    var actions: [CallAction] = []
    let due = calls.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
    for (ticket, call) in due {
      actions += giveUp(ticket, call, .timedOut(after: call.timeout))
    }
    if case .open(let generation) = link, !due.isEmpty, underWay > 0 {
      let isSilent = now.duration(since: lastHeard) >= bounds.silence
      if isSilent || abandoned.count >= bounds.callsUnderWay {
        actions.append(.disconnect(generation: generation))
        actions += lost(
          generation, .connectionLost(why: "the server went silent", nil), at: now,
          fraction: fraction)
      }
    }
    actions += proceed(at: now)
    // A wake-up that a later one was meant for changes nothing.
    if wakeAt <= now { wakeAt = .never }
    if let earliest = calls.values.lazy.map(\.deadline).min(), earliest < wakeAt {
      wakeAt = earliest
      actions.append(.wake(at: earliest))
    }
    return actions
  }

  /// Ends every call and the connection; later calls end at once.
  mutating func close() -> [CallAction] {
    var actions: [CallAction] = []
    switch link {
    case .connecting(let generation), .open(let generation):
      actions.append(.disconnect(generation: generation))
    case .down, .closed: break
    }
    link = .closed
    for (ticket, call) in calls.sorted(by: { $0.key < $1.key }) {
      actions.append(.finish(ticket, .failure(call.error(.clientClosed))))
    }
    calls = [:]
    waitingCount = 0
    batches = [:]
    endings = [:]
    leaveConnection()
    return actions
  }

  /// Ends a call without an answer, where it is.
  private mutating func giveUp(
    _ ticket: Call.Ticket, _ call: Call, _ reason: BudgetClientError.Reason
  ) -> [CallAction] {
    calls[ticket] = nil
    switch call.place {
    case .waiting:
      waitingCount -= 1
      if waiting.count > 2 * waitingCount + 64 {
        waiting.removeAll { calls[$0]?.place == .waiting }
      }
    case .queued(let callID): tickets[callID] = nil
    case .handing(let callID), .sent(let callID):
      // An id that is not of this connection was lost with the one before.
      if tickets[callID] == ticket {
        tickets[callID] = nil
        abandoned.insert(callID)
      }
    }
    return [.finish(ticket, .failure(call.error(reason)))]
  }
}
