import Access
import BudgetWire
import Sockets
import TCPTransport

/// Every call passes this gate before its message is looked at, whatever its method: its connection may
/// make it, its id must be free there, and its time not over. Knows the calls that wait for their
/// replies, and a byte of each connection.
struct CallGate {
  /// By the connection's slot in its lane.
  private var roles: [RoleByte] = []
  /// The calls that each connection of the lane waits for, by the connection's slot in its lane.
  private var waiting: [[UInt64: Call]] = []

  /// Lets a connection do from now on what a client of the role may; nil: what a stranger may.
  mutating func admit(_ connection: ConnectionID, as role: Role?) {
    while roles.count <= connection.slot { roles.append(.stranger) }
    roles[connection.slot] = RoleByte(role)
  }

  /// The role of a connection; nil: a stranger's.
  func role(of connection: ConnectionID) -> Role? { byte(of: connection).role }

  @inline(__always)
  private func byte(of connection: ConnectionID) -> RoleByte {
    connection.slot < roles.count ? roles[connection.slot] : .stranger
  }

  /// Why `call`, of `method`, may not go on; nil: it may. Nothing was applied.
  @inline(__always)
  func refusal(of call: Call, _ method: MethodName?) -> RPCStatus? {
    let byte = byte(of: call.connection)
    guard byte.allows(method) else { return Self.notAllowed(byte, method) }
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

  /// Whether some call of the connection waits for its reply.
  func isWaited(on connection: ConnectionID) -> Bool {
    connection.slot < waiting.count && !waiting[connection.slot].isEmpty
  }

  /// Forgets the connection's calls: it has gone.
  mutating func removeAll(on connection: ConnectionID) {
    if connection.slot < waiting.count { waiting[connection.slot] = [:] }
    admit(connection, as: nil)
  }

  @inline(__always)
  private func isWaiting(_ id: UInt64, on connection: ConnectionID) -> Bool {
    guard connection.slot < waiting.count else { return false }
    let calls = waiting[connection.slot]
    return !calls.isEmpty && calls[id] != nil
  }

  /// The words say nothing of what the server has.
  private static func notAllowed(_ byte: RoleByte, _ method: MethodName?) -> RPCStatus {
    guard let role = byte.role, let method, let least = method.leastRole else {
      return RPCStatus(
        .unauthenticated, "nobody has said who this is: send Authenticate with a token first")
    }
    return RPCStatus(
      .permissionDenied, "this client's role is \(role): \(method.serviceName) needs \(least)")
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
