import BudgetWire
import Sockets
import TCPTransport

/// One call, from its start to its end.
struct Call {
  /// The question.
  let method: RequestMessage.Method
  /// How long the caller waits, for its error.
  let timeout: Duration
  /// When the caller stops waiting.
  let deadline: MonotonicInstant
  /// The place of the request.
  var place: Place = .waiting
  /// Whether a connection was lost with the request on it, and it was sent again.
  var isRetry = false

  /// Names a call within its client; ascending, never reused.
  typealias Ticket = UInt64

  /// A request's place. The call ids are those of the connection.
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
    case .recordSpend, .reserveSpend, .releaseReservation, .extendReservation, .backupLedger,
      .setBudget, .clearBudget, .resetBudget, .reloadConfig:
      false
    case .filterDeployments(let request): request.reserve == nil
    case .explainRequest, .getProviderBudgets, .getSpendHistory, .listChanges, .authenticate,
      .ping:
      true
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

/// An effect that a `CallTracker` asks for. Generations count connections, from 1.
enum CallAction: Hashable {
  /// Connect, after this long.
  case connect(generation: Int, after: Duration)
  /// Close the connection; nothing of it is of interest any more.
  case disconnect(generation: Int)
  /// Take batches and send them until there are none.
  case send(generation: Int)
  /// Call `timePassed` at this instant.
  case wake(at: MonotonicInstant)
  /// The call is over.
  case finish(Call.Ticket, Result<ResponseMessage, BudgetClientError>)
}

/// One request whose turn to be sent has come.
struct OutgoingCall: Hashable {
  let ticket: Call.Ticket
  let request: RequestMessage
}
