import BudgetModel
package import BudgetWire
import Dispatch
import Locks
import TCPTransport

/// Says who the client is on a new connection, before anything else is asked there.
///
/// The first answer says whether the server takes it. A server that knows no Authenticate asks nobody
/// who they are. Frames and the end come from the connection's queue, the deadline from another.
package final class Introduction: Sendable {
  /// The call that it is; answered before the first of the client's own, which begin there too.
  private static let callID: UInt64 = 1

  typealias Outcome = Result<Void, BudgetClientError>

  private struct State {
    var outcome: Outcome?
    var isOver = false
    var waiting: CheckedContinuation<Outcome, Never>?
  }

  private let state = Locked(State())

  /// The frame that shows `token`.
  package static func frame(_ token: String, timeout: Duration) throws(BudgetClientError) -> [UInt8]
  {
    let request = RequestMessage(
      callID: callID, timeoutMilliseconds: UInt32(clamping: timeout.wholeMilliseconds),
      method: .authenticate(token: token))
    do throws(WireFault) {
      return try request.frame()
    } catch {
      throw .notApplied(.unsendable(error))
    }
  }

  /// Why the answer is not a welcome; nil: it is.
  package static func refusal(in response: ResponseMessage) -> BudgetClientError? {
    guard response.callID == callID || response.callID == 0 else {
      return .notApplied(.unreadableAnswer("an answer to call \(response.callID), not made yet"))
    }
    guard let status = response.status else {
      if case .authenticated = response.result { return nil }
      return .notApplied(.unreadableAnswer("the answer to authenticate is to another method"))
    }
    return status.code == .unimplemented ? nil : .notApplied(.refused(status))
  }

  /// Whether the server has taken who the client says it is.
  var isWelcome: Bool {
    state.withLock {
      guard case .success = $0.outcome else { return false }
      return true
    }
  }

  /// Takes a response, if the introduction is not over; says whether it did.
  func take(_ response: ResponseMessage) -> Bool {
    end(Self.refusal(in: response).map { .failure($0) } ?? .success(()))
  }

  /// It failed; says whether it was not over yet.
  @discardableResult
  func fail(_ reason: BudgetClientError.Reason) -> Bool { end(.failure(.notApplied(reason))) }

  private func end(_ outcome: Outcome) -> Bool {
    let (isFirst, waiting) = state.withLock {
      state -> (Bool, CheckedContinuation<Outcome, Never>?) in
      if state.isOver { return (false, nil) }
      state.isOver = true
      state.outcome = outcome
      return (true, state.waiting.take())
    }
    waiting?.resume(returning: outcome)
    return isFirst
  }

  /// Waits for the outcome, no longer than `timeout`.
  func outcome(within timeout: Duration) async -> Outcome {
    DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(timeout.nanoseconds))) {
      self.fail(.timedOut(after: timeout))
    }
    return await withCheckedContinuation { continuation in
      let outcome = state.withLock { state in
        if state.outcome == nil { state.waiting = continuation }
        return state.outcome
      }
      if let outcome { continuation.resume(returning: outcome) }
    }
  }
}
