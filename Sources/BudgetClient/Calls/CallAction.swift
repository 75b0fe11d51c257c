import BudgetWire
import TCPTransport

/// What a `CallTracker` wants done. Generations count connections, from 1.
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
