import BudgetWire
import TCPTransport

/// One call, from its start to its end.
struct Call {
  /// What is asked.
  let method: RequestMessage.Method
  /// How long the caller waits, for its error.
  let timeout: Duration
  /// When the caller stops waiting.
  let deadline: MonotonicInstant
  /// Where the request is.
  var place: Place = .waiting
  /// Whether a connection was lost with the request on it, and it was sent again.
  var isRetry = false

  /// Names a call within its client; ascending, never reused.
  typealias Ticket = UInt64

  /// Where a request is. The call ids are those of the connection.
  enum Place: Hashable {
    /// No connection has it yet.
    case waiting
    /// It has a call id and its turn to be sent comes.
    case queued(callID: UInt64)
    /// It is being given to the socket, which may yet refuse it.
    case handing(callID: UInt64)
    /// The socket has it: the server may have it too.
    case sent(callID: UInt64)
  }

  /// Whether the call changes nothing, so that sending it twice is harmless.
  var isReadOnly: Bool {
    switch method {
    case .recordSpend, .backupLedger: false
    case .filterDeployments, .explainRequest, .getProviderBudgets, .ping: true
    }
  }

  /// Whether the server may have seen the request.
  var mayHaveArrived: Bool {
    switch place {
    case .waiting, .queued: false
    case .handing, .sent: true
    }
  }

  /// The error of a call that ends where it is, without an answer.
  func error(_ reason: BudgetClientError.Reason) -> BudgetClientError {
    mayHaveArrived && !isReadOnly ? .unknown(reason) : .notApplied(reason)
  }
}
