import BudgetWire
import Sockets
import TCPTransport

// Answers of the server.

extension CallTracker {
  /// A response came. One to a call that was given up is passed over; one to a call that was never
  /// made ends the connection, for then nothing on it can be believed.
  mutating func received(
    _ response: ResponseMessage, on generation: Int, at now: MonotonicInstant, fraction: Double
  ) -> [CallAction] {
    guard link == .open(generation: generation) || link == .connecting(generation: generation)
    else { return [] }
    lastHeard = now
    let callID = response.callID
    if callID == 0 {
      // About the connection, which the server mostly closes then.
      farewell = response.status ?? farewell
      return []
    }
    if abandoned.remove(callID) != nil {
      failures = 0
      return proceed(at: now)
    }
    guard let ticket = tickets[callID], let call = calls[ticket] else {
      return callID < nextCallID
        ? []
        : unreadable(
          "an answer to call \(callID), which was never made", on: generation, at: now,
          fraction: fraction)
    }
    guard call.mayHaveArrived else {
      return unreadable(
        "an answer to call \(callID) before it was sent", on: generation, at: now,
        fraction: fraction)
    }
    tickets[callID] = nil
    calls[ticket] = nil
    failures = 0
    return [.finish(ticket, Self.outcome(of: call, response))] + proceed(at: now)
  }

  /// The bytes are not a response, or answer no request: the connection ends.
  mutating func unreadable(
    _ why: String, on generation: Int, at now: MonotonicInstant, fraction: Double
  ) -> [CallAction] {
    guard link == .open(generation: generation) || link == .connecting(generation: generation)
    else { return [] }
    return [.disconnect(generation: generation)]
      + lost(generation, .unreadableAnswer(why), at: now, fraction: fraction)
  }

  private static func outcome(
    of call: Call, _ response: ResponseMessage
  ) -> Result<ResponseMessage, BudgetClientError> {
    guard let status = response.status else { return .success(response) }
    // That budgets have no room is an answer, not an error.
    switch response.result {
    case .filterDeployments?, .reserveSpend?:
      if status.code == .resourceExhausted { return .success(response) }
    default: break
    }
    return .failure(
      status.code.isIndeterminate && !call.isReadOnly
        ? .unknown(.refused(status)) : .notApplied(.refused(status)))
  }
}
