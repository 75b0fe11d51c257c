import BudgetFleet
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Who answers, and whether it is ready.
  mutating func ping(_ head: RequestHead, output: inout [UInt8]) throws(ServiceRefusal) {
    try ServiceRefusal.of { () throws(WireFault) in try reader.decoder.judge(head) }
    var response = PingResponse()
    response.version = context.identity.version
    response.nodeID = context.identity.nodeID
    let now = context.time.now()
    let standing = context.recorder.standing(at: now)
    let reasons = context.readiness.reasons(at: now)
    response.isReady = reasons.isEmpty
    response.notReadyReason = reasons.joined(separator: "; ")
    response.durability = standing.durability
    response.storeState = context.fleet?.storeState ?? "none"
    response.idempotencyHorizonUnixMilliseconds = standing.idempotencyHorizon.unixMilliseconds
    response.methods = MethodName.allCases.filter { Self.serves($0) }.map(\.description)
    responses.appendPing(response, callID: head.callID, to: &output)
  }
}
