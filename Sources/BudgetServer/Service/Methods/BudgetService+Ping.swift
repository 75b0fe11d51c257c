import Access
import BudgetFleet
import BudgetModel
import BudgetWire
import TCPTransport

extension BudgetService {
  /// Who answers, and whether it is ready.
  ///
  /// Who has not said who they are is told no more than whether it is ready.
  mutating func ping(
    _ head: RequestHead, from connection: ConnectionID, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    try ServiceRefusal.of { () throws(WireFault) in try reader.decoder.judge(head) }
    var response = PingResponse()
    let now = context.time.now()
    let reasons = context.readiness.reasons(at: now)
    response.isReady = reasons.isEmpty
    guard let role = gate.role(of: connection) else {
      responses.appendPing(response, callID: head.callID, to: &output)
      return
    }
    response.version = context.identity.version
    response.nodeID = context.identity.nodeID
    response.role = role.description
    response.isInsecureNetwork = context.isInsecureNetwork
    let standing = context.recorder.standing(at: now)
    response.notReadyReason = reasons.joined(separator: "; ")
    response.durability = standing.durability
    response.storeState = context.fleet?.storeState ?? "none"
    response.idempotencyHorizonUnixMilliseconds = standing.idempotencyHorizon.unixMilliseconds
    response.methods = MethodName.allCases.map(\.description)
    responses.appendPing(response, callID: head.callID, to: &output)
  }
}
