import BudgetWire
import Sockets
import SpendLedger
import TCPTransport

/// One request on its way: where it came from, and what it is.
struct Call {
  let connection: ConnectionID
  /// Names the call on its connection.
  let id: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  let timeoutMilliseconds: UInt32
  /// A `CountedMethod`.
  let method: Int
  let receivedAt: MonotonicInstant

  @inline(__always)
  init(_ head: RequestHead, from connection: ConnectionID, receivedAt: MonotonicInstant) {
    self.connection = connection
    id = head.callID
    timeoutMilliseconds = head.timeoutMilliseconds
    method = head.method.map { $0.position } ?? CountedMethod.unknown
    self.receivedAt = receivedAt
  }

  /// The address of a reply that comes later.
  var token: LedgerToken { LedgerToken(high: connection.word, low: id) }
}
