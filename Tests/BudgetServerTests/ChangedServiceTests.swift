import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import Testing

@testable import BudgetServer
@testable import TCPTransport

/// A lane goes by a change of policy from the next request on, whatever it remembers.
@Suite struct ChangedServiceTests {
  private static func freeze(_ reason: String) -> BudgetChange {
    BudgetChange(
      .init(.mode, BudgetKey(scope: .provider, name: "openai", windowText: "")), .mode(.freeze),
      reason: reason, by: ChangeAuthor(name: "ops", place: ""), at: ServiceFixture.start,
      version: ChangeVersion(milliseconds: 1, node: "n"))
  }

  private static let filter = RequestMessage.Method.filterDeployments(
    FilterDeploymentsRequest(deployments: [Deployment(id: "x", provider: "openai")]))

  @Test func theNextRequestGoesByIt() throws {
    let fixture = ServiceFixture([try providerBudget("openai", 100)])
    let now = ServiceFixture.start
    let policies = PolicyChanging(of: fixture.engine)
    // The third time the lane knows the message.
    for _ in 0..<3 { #expect(try fixture.call(Self.filter).status == nil) }
    for reason in ["one", "two"] {
      policies.enforce(Self.freeze(reason), at: now)
      for _ in 0..<3 {
        let reply = try fixture.call(Self.filter)
        #expect(reply.status?.message.hasSuffix("provider openai is frozen: \(reason)\n") == true)
        guard case .filterDeployments(let result)? = reply.result else {
          Issue.record("\(reply)")
          return
        }
        #expect(result.denials.map(\.mode) == [.freeze])
      }
    }
    policies.end(Self.freeze("").register, at: now)
    #expect(try fixture.call(Self.filter).status == nil)
  }

  /// A frozen name that has no budget is found in messages that the lane knows as asking nobody.
  @Test func aNameWithoutABudgetIsFoundInWhatIsRemembered() throws {
    let fixture = ServiceFixture([try providerBudget("azure", 100)])
    var record = RecordSpendRequest(costUSD: 1)
    record.provider = "openai"
    for _ in 0..<3 {
      #expect(try fixture.call(Self.filter).status == nil)
      #expect(try fixture.call(.recordSpend(record)).status == nil)
    }
    PolicyChanging(of: fixture.engine).enforce(Self.freeze("r"), at: ServiceFixture.start)
    for _ in 0..<3 {
      #expect(try fixture.call(Self.filter).status?.code == .resourceExhausted)
      let reply = try fixture.call(.recordSpend(record))
      #expect(
        reply.result
          == .recordSpend(RecordSpendResponse(isDuplicate: false, budgetsCharged: 0)))
    }
    let explained = try fixture.call(
      .explainRequest(
        FilterDeploymentsRequest(deployments: [Deployment(id: "x", provider: "openai")])))
    guard case .explained(let result)? = explained.result else {
      Issue.record("\(explained)")
      return
    }
    #expect(result.candidates[0].isAllowed == false)
    #expect(result.candidates[0].budgets.first?.mode == .freeze)
  }
}
