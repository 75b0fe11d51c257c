import BudgetModel
import Testing
import WholeRequests

@testable import BudgetWire

@Suite struct ExplainMessageTests {
  private static let result: ExplainRequestResponse = {
    var result = ExplainRequestResponse()
    var budget = ExplainedBudget(scope: .provider, name: "openai", verdict: .denies)
    budget.timePeriod = "7d"
    budget.spendUSD = 1.5
    budget.pendingUSD = 0.25
    budget.limitUSD = 0
    budget.withheldUSD = 1e-12
    budget.resetsAtUnixMilliseconds = 0
    let none = ExplainedBudget(
      scope: .tag, name: "", verdict: .unusableName, reason: "the name is not UTF-8")
    result.tags = [none]
    result.candidates = [
      ExplainedCandidate(
        Deployment(id: "d", modelName: "g", model: "openai/m"), provider: "openai",
        isAllowed: true, budgets: [budget, none]),
      ExplainedCandidate(Deployment(), provider: "", isAllowed: false, budgets: []),
    ]
    result.candidatesOmitted = 3
    result.tagsOmitted = 1
    return result
  }()

  @Test func answersAreReadAsTheyWereWrittenAndAsProtocWritesThem() throws {
    var frame: [UInt8] = []
    #expect(ResponseWriter().appendExplained(Self.result, callID: 5, to: &frame))
    #expect(try WireSamples.response(frame).result == .explained(Self.result))
    let message = Array(frame.dropFirst(FrameHeader.byteCount))
    let text = try ProtocTool.decoded(message, as: "Response")
    #expect(text.contains("explain_request {") && text.contains("verdict: VERDICT_UNUSABLE_NAME"))
    #expect(try ProtocTool.encoded(text, as: "Response") == message)
    let head = try ResponseHead(frame: unsafe message.span.bytes)
    #expect(head.method == .explainRequest && head.callID == 5)
  }

  @Test func theQuestionIsAFilters() throws {
    guard case .filterDeployments(let question)? = WireSamples.filter.method else { return }
    let request = RequestMessage(callID: 1, method: .explainRequest(question))
    let bytes = try WireSamples.message(request)
    #expect(
      try bytes
        == ProtocTool.encoded(
          ProtocTool.decoded(bytes, as: "Request"), as: "Request"))
    var decoder = RequestDecoder()
    let seen = try decoder.withRequest(frame: bytes.span) { request -> (Int, Int)? in
      guard case .explainRequest(let view) = request.method else { return nil }
      return (view.deploymentCount, view.tagCount)
    }
    #expect(seen?.0 == question.deployments.count && seen?.1 == question.tags.count)
  }

  @Test func boundsAreAFilters() throws {
    let tags = RawField.times(257, RawField.text(2, "t"))
    let refusal = WireSamples.refusal(
      of: RawField.integer(1, 1) + RawField.bytes(24, tags))
    #expect(refusal?.callID == 1)
    #expect(
      refusal?.fault
        == .tooMany(
          WireField(message: .filterDeployments, number: 2), count: 257, bound: 256))
    let twice = RawField.integer(1, 1) + RawField.bytes(21, []) + RawField.bytes(24, [])
    #expect(
      WireSamples.refusal(of: twice)?.fault == .twoMethods(first: .ping, second: .explainRequest))
  }
}
