import BudgetWire
import Sockets
import TCPTransport

/// Every call passes this gate before its message is looked at, whatever its method: its id must be
/// free on its connection, and its time not over. Knows the calls that wait for their replies.
struct CallGate {
  /// The calls that each connection of the lane waits for, by the connection's slot in its lane.
  private var waiting: [[UInt64: Call]] = []

  /// Why `call` may not go on; nil: it may. Nothing was applied.
  @inline(__always)
  func refusal(of call: Call) -> RPCStatus? {
    if isWaiting(call.id, on: call.connection) { return Self.idInUse(call.id) }
    guard call.timeoutMilliseconds > 0 else { return nil }
    let timeout = Duration.milliseconds(Int64(call.timeoutMilliseconds))
    guard MonotonicInstant.now() < call.receivedAt.advanced(by: timeout) else {
      return Self.timedOut(call.timeoutMilliseconds)
    }
    return nil
  }

  /// Notes a call that is answered later: its reply could not be told from another's of its id.
  mutating func wait(for call: Call) {
    while waiting.count <= call.connection.slot { waiting.append([:]) }
    waiting[call.connection.slot][call.id] = call
  }

  /// Notes that a call was answered, and gives it.
  mutating func answered(_ id: UInt64, on connection: ConnectionID) -> Call? {
    waiting[connection.slot].removeValue(forKey: id)
  }

  /// Forgets the connection's calls: it has gone.
  mutating func removeAll(on connection: ConnectionID) {
    if connection.slot < waiting.count { waiting[connection.slot] = [:] }
  }

  @inline(__always)
  private func isWaiting(_ id: UInt64, on connection: ConnectionID) -> Bool {
    guard connection.slot < waiting.count else { return false }
    let calls = waiting[connection.slot]
    return !calls.isEmpty && calls[id] != nil
  }

  private static func idInUse(_ id: UInt64) -> RPCStatus {
    RPCStatus(
      .invalidArgument, "call_id \(id) is under way on this connection: use ids that are not")
  }

  private static func timedOut(_ milliseconds: UInt32) -> RPCStatus {
    RPCStatus(
      .deadlineExceeded, "timeout_ms \(milliseconds) passed before work started; nothing applied")
  }
}
