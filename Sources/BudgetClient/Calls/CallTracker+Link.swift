import BudgetModel
import BudgetWire
import Sockets
import TCPTransport

// The connection: one at a time, made when a call needs it.

extension CallTracker {
  /// Connects where calls wait without a connection; gives waiting calls their turn where there is
  /// one.
  mutating func proceed(at now: MonotonicInstant) -> [CallAction] {
    switch link {
    case .down:
      guard waitingCount > 0 else { return [] }
      generation += 1
      link = .connecting(generation: generation)
      let wait = connectNotBefore > now ? connectNotBefore.duration(since: now) : .zero
      return [.connect(generation: generation, after: wait)]
    case .open(let generation):
      while underWay < bounds.callsUnderWay, let ticket = waiting.popFirst() {
        guard calls[ticket]?.place == .waiting else { continue }
        calls[ticket]?.place = .queued(callID: nextCallID)
        tickets[nextCallID] = ticket
        queued.append(ticket)
        nextCallID += 1
        waitingCount -= 1
      }
      guard !isSending, queued.count > 0 else { return [] }
      isSending = true
      return [.send(generation: generation)]
    case .connecting, .closed: return []
    }
  }

  /// The connection was made.
  mutating func connected(_ generation: Int, at now: MonotonicInstant) -> [CallAction] {
    guard link == .connecting(generation: generation) else {
      return [.disconnect(generation: generation)]
    }
    link = .open(generation: generation)
    lastHeard = now
    return proceed(at: now)
  }

  /// No connection could be made: the calls that waited for it end, later ones try again.
  mutating func connectFailed(
    _ generation: Int, _ reason: BudgetClientError.Reason, at now: MonotonicInstant,
    fraction: Double
  ) -> [CallAction] {
    guard link == .connecting(generation: generation) else { return [] }
    backOff(at: now, fraction: fraction)
    leaveConnection()
    var actions: [CallAction] = []
    for (ticket, call) in calls.sorted(by: { $0.key < $1.key }) where call.place == .waiting {
      calls[ticket] = nil
      actions.append(.finish(ticket, .failure(.notApplied(reason))))
    }
    waiting = TicketQueue()
    waitingCount = 0
    return actions
  }

  /// The connection is over. Requests that the socket never had wait for the next one; so do calls
  /// that change nothing, once; the others end.
  mutating func lost(
    _ generation: Int, _ reason: BudgetClientError.Reason, at now: MonotonicInstant,
    fraction: Double
  ) -> [CallAction] {
    if link == .connecting(generation: generation) {
      return connectFailed(
        generation, reason.with(farewell), at: now, fraction: fraction)
    }
    guard link == .open(generation: generation) else { return [] }
    let reason = reason.with(farewell)
    if batches[generation] != nil { endings[generation] = reason }
    let concerned = tickets.values.sorted()
    // A connection that rested was closed as it should be: the next call connects at once.
    if !concerned.isEmpty || farewell != nil { backOff(at: now, fraction: fraction) }
    leaveConnection()
    var actions: [CallAction] = []
    var again: [Call.Ticket] = []
    for ticket in concerned {
      switch calls[ticket]?.place {
      case .queued?:
        calls[ticket]?.place = .waiting
        again.append(ticket)
      case .sent?: actions += retry(ticket, reason, &again)
      // Whoever is sending it will say whether the socket took it.
      case .handing?, .waiting?, nil: break
      }
    }
    waiting.prepend(again)
    waitingCount += again.count
    return actions + proceed(at: now)
  }

  /// The requests to send next, their timeouts what is left of them; nil ends the sending.
  mutating func nextBatch(_ generation: Int, at now: MonotonicInstant) -> [OutgoingCall]? {
    guard link == .open(generation: generation) else { return nil }
    var batch: [OutgoingCall] = []
    let owedNothing = tickets.count <= queued.count && abandoned.isEmpty
    while batch.count < bounds.callsPerBatch, let ticket = queued.popFirst() {
      guard let call = calls[ticket], case .queued(let callID) = call.place else { continue }
      calls[ticket]?.place = .handing(callID: callID)
      let left = call.deadline.duration(since: now).wholeMilliseconds
      batch.append(
        OutgoingCall(
          ticket: ticket,
          request: RequestMessage(
            callID: callID, timeoutMilliseconds: UInt32(clamping: max(1, left)),
            method: call.method)))
    }
    guard !batch.isEmpty else {
      isSending = false
      return nil
    }
    if owedNothing { lastHeard = now }
    batches[generation] = batch.map(\.ticket)
    return batch
  }

  /// The socket took the batch, or nothing of it.
  mutating func batchEnded(
    _ generation: Int, isTaken: Bool, at now: MonotonicInstant, fraction: Double
  ) -> [CallAction] {
    var actions: [CallAction] = []
    if !isTaken {
      // The end of the connection is reported before: this is for a transport that does not.
      actions = lost(
        generation, .connectionLost(why: "it was closed", nil), at: now, fraction: fraction)
    }
    let isOpen = link == .open(generation: generation)
    let reason =
      endings.removeValue(forKey: generation) ?? .connectionLost(why: "it was closed", nil)
    var again: [Call.Ticket] = []
    for ticket in batches.removeValue(forKey: generation) ?? [] {
      guard let call = calls[ticket], case .handing(let callID) = call.place else { continue }
      if isTaken { calls[ticket]?.place = .sent(callID: callID) }
      if isOpen { continue }
      if isTaken {
        actions += retry(ticket, reason, &again)
      } else {
        calls[ticket]?.place = .waiting
        again.append(ticket)
      }
    }
    guard !again.isEmpty else { return actions }
    waiting.prepend(again)
    waitingCount += again.count
    return actions + proceed(at: now)
  }

  /// A request that cannot be sent as it is.
  mutating func refuse(
    _ ticket: Call.Ticket, _ reason: BudgetClientError.Reason, at now: MonotonicInstant
  ) -> [CallAction] {
    guard let call = calls.removeValue(forKey: ticket) else { return [] }
    if case .handing(let callID) = call.place, tickets[callID] == ticket { tickets[callID] = nil }
    return [.finish(ticket, .failure(.notApplied(reason)))] + proceed(at: now)
  }

  /// A request that the socket had when the connection went is sent once more if it changes
  /// nothing.
  private mutating func retry(
    _ ticket: Call.Ticket, _ reason: BudgetClientError.Reason, _ again: inout [Call.Ticket]
  ) -> [CallAction] {
    guard let call = calls[ticket] else { return [] }
    guard call.isReadOnly, !call.isRetry else {
      calls[ticket] = nil
      return [.finish(ticket, .failure(call.error(reason)))]
    }
    calls[ticket]?.isRetry = true
    calls[ticket]?.place = .waiting
    again.append(ticket)
    return []
  }

  private mutating func backOff(at now: MonotonicInstant, fraction: Double) {
    failures += 1
    connectNotBefore = now.advanced(
      by: bounds.backoff.delay(failures: failures, fraction: fraction))
  }

  /// Forgets everything that belonged to the connection.
  mutating func leaveConnection() {
    if link != .closed { link = .down }
    tickets = [:]
    abandoned = []
    queued = TicketQueue()
    nextCallID = 1
    isSending = false
    farewell = nil
  }
}
