import BudgetModel
import CAllocationCount
import Testing
import WholeRequests

@testable import BudgetWire

@Suite struct AllocationTests {
  /// A lane's work on FilterDeployments between bytes in and bytes out.
  @Test(.enabled(if: allocation_count_is_meaningful()))
  func decodingAndAnsweringAFilterAllocatesNothing() throws {
    try #require(countsAllocations(), "the counter sees no allocation at all")
    var question = FilterDeploymentsRequest(modelName: "gpt-4o")
    // The last one's id is so long that a denial of this name has a length of two bytes.
    for id in ["0", "1", "2", "3", "4", "5", "6", String(repeating: "7", count: 200)] {
      question.deployments.append(
        Deployment(id: id, modelName: "gpt-4o", model: "openai/gpt-4o", provider: "openai"))
    }
    let message = try WireSamples.message(
      RequestMessage(callID: 77, method: .filterDeployments(question)))
    var decoder = RequestDecoder()
    var reply = FilterReply()
    var sent: [UInt8] = []
    let writer = ResponseWriter()
    func answer() throws(WireRefusal) {
      sent.removeAll(keepingCapacity: true)
      try decoder.withRequest(frame: message.span) { request in
        guard case .filterDeployments(let view) = request.method else { return }
        reply.reset()
        let long = view.deployment(at: 7).id
        for index in 0..<view.deploymentCount {
          if index % 2 == 0 {
            reply.allow(UInt32(index))
          } else {
            reply.deny(
              FilterReply.Denial(
                position: UInt32(index), scope: .provider,
                name: index == 1 ? long : view.deployment(at: index).provider, spendUSD: 10.5,
                limitUSD: 10,
                resetsAtUnixMilliseconds: 1_764_806_400_000))
          }
        }
        reply.statusCode = .resourceExhausted
        view.modelName.append(to: &reply.statusMessage)
        writer.appendFilterDeployments(&reply, callID: request.callID, to: &sent)
      }
    }
    for _ in 0..<10 { try answer() }
    let before = allocation_count()
    for _ in 0..<1000 { try answer() }
    let after = allocation_count()
    print("allocations in 1000 filter calls: \(after - before)")
    #expect(after == before)
    #expect(try WireSamples.response(sent).callID == 77)
  }

  /// Whether the counter stands in for malloc here.
  private func countsAllocations() -> Bool {
    let before = allocation_count()
    let bytes = [UInt8](repeating: 1, count: 4096)
    return bytes.count == 4096 && allocation_count() > before
  }
}
