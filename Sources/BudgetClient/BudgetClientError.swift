public import BudgetWire
package import Sockets
package import TCPTransport

/// Why a call has no result, and above all: what that says about the request.
///
/// Every call ends in one of three ways: applied (it returns), definitely not applied, or unknown.
/// Calls that only read change nothing, so their errors are always `notApplied`.
public enum BudgetClientError: Error, Hashable, Sendable {
  /// The server did nothing of what was asked, and will not: sending it again is safe.
  case notApplied(Reason)
  /// The request may be applied, now or later, or not: sending a record again without an
  /// idempotency key may count it twice.
  case unknown(Reason)

  /// The two things that an error can say about the request.
  public enum Outcome: Hashable, Sendable {
    /// Definitely not applied.
    case notApplied
    /// Applied or not, nobody on this side can say.
    case unknown
  }

  /// The cause.
  public enum Reason: Hashable, Sendable {
    /// The server answered with this status. After `outOfRange` for an idempotency key, an
    /// *earlier* request with that key may have been applied; this one was not.
    case refused(RPCStatus)
    /// No connection could be made to `server`.
    case unreachable(server: String, why: String)
    /// The connection ended before the answer came; the status is what the server said about the
    /// connection, where it said something.
    case connectionLost(why: String, RPCStatus?)
    /// No answer within the call's timeout.
    case timedOut(after: Duration)
    /// The caller's task was cancelled.
    case cancelled
    /// `close` was called.
    case clientClosed
    /// As many calls wait as may: `bound`.
    case tooManyCalls(bound: Int)
    /// The request has more bytes than the server takes.
    case requestTooLong(length: Int, bound: Int)
    /// The bytes are not an answer of this service: the server may not be a budgetd.
    case unreadableAnswer(String)
    /// A connection to `server` could not be encrypted: either does not take the other's certificate,
    /// or it does not speak TLS.
    case notSecure(server: String, why: String)
    /// The token cannot be had, in words that do not show it.
    case unusableToken(String)
    /// The files for encryption are not what they have to be.
    case unusableSecurity(String)
    /// The reservation is settled, or is just being settled.
    case alreadySettled
    /// The text is not an address of a server.
    case invalidAddress(String)
  }

  /// Whether the request may have been applied.
  public var outcome: Outcome {
    switch self {
    case .notApplied: .notApplied
    case .unknown: .unknown
    }
  }

  /// The cause.
  public var reason: Reason {
    switch self {
    case .notApplied(let reason), .unknown(let reason): reason
    }
  }

  /// The server's status, if it sent one.
  public var status: RPCStatus? {
    switch reason {
    case .refused(let status): status
    case .connectionLost(_, let status): status
    default: nil
    }
  }
}

extension BudgetClientError: CustomStringConvertible {
  /// The cause, and for `unknown` its meaning, in a sentence or two.
  public var description: String {
    switch self {
    case .notApplied(let reason): reason.description
    case .unknown(let reason): "\(reason); the request may or may not be applied"
    }
  }
}

extension BudgetClientError.Reason: CustomStringConvertible {
  /// The cause in one sentence.
  public var description: String {
    switch self {
    case .refused(let status): "the server answered \(Self.text(of: status))"
    case .unreachable(let server, let why): "no connection to \(server): \(why)"
    case .notSecure(let server, let why): "no encrypted connection to \(server): \(why)"
    case .connectionLost(let why, let status):
      "the connection was lost before the answer came: \(status.map(Self.text) ?? why)"
    case .timedOut(let after): "no answer within \(after)"
    case .cancelled: "the call was cancelled"
    case .clientClosed: "the client was closed"
    case .tooManyCalls(let bound): "\(bound) calls wait already, the most there may be"
    case .requestTooLong(let length, let bound):
      "the request has \(length) bytes, the server takes at most \(bound)"
    case .unreadableAnswer(let why): "the server does not speak budget.v1: \(why)"
    case .unusableToken(let why): why
    case .alreadySettled:
      "the reservation is settled already: record further costs with a key of their own"
    case .invalidAddress(let why), .unusableSecurity(let why): why
    }
  }

  private static func text(of status: RPCStatus) -> String {
    status.message.isEmpty ? "\(status.code)" : "\(status.code): \(status.message)"
  }

  /// A lost connection together with what the server said about it.
  func with(_ farewell: RPCStatus?) -> Self {
    guard case .connectionLost(let why, let status) = self else { return self }
    return .connectionLost(why: why, farewell ?? status)
  }

  /// Why no connection could be made, in the words of the system.
  package static func unreachable(server: Endpoint, _ error: TransportError) -> Self {
    let why: String
    switch error {
    case .socket(.system(let call, let number, _)):
      // Without the address the text is the call, what became of it, and the system's words.
      let text = SocketError.system(call: call, errno: number, address: nil).description
      let lead = "\(call) failed: "
      why = (text.hasPrefix(lead) ? String(text.dropFirst(lead.count)) : text).lowercased()
    case .socket(.connectTimedOut): why = "nobody answered in time"
    case .security: return .notSecure(server: server.description, why: error.description)
    case .socket, .silent, .notIntroduced, .closed, .frameTooLarge, .invalidLaneCount:
      why = error.description
    }
    return .unreachable(server: server.description, why: why)
  }

  /// Why a connection ended. `nil`: the server closed it between two answers.
  package static func lost(_ error: TransportError?) -> Self {
    switch error {
    case nil: .connectionLost(why: "the server closed it", nil)
    case .frameTooLarge(let length, let bound)?:
      .unreadableAnswer("an answer of \(length) bytes, at most \(bound)")
    case .closed?: .connectionLost(why: "the server closed it in the middle of an answer", nil)
    case .some(let error): .connectionLost(why: error.description, nil)
    }
  }
}

extension BudgetClientError.Reason {
  /// Why a request has no bytes.
  package static func unsendable(_ fault: WireFault) -> Self {
    guard case .frameTooLong(let length, let bound) = fault else {
      // `appendFrame` judges nothing but the length.
      preconditionFailure("a request cannot be written: \(fault)")
    }
    return .requestTooLong(length: length, bound: bound)
  }
}
