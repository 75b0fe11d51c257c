import BudgetModel
import Testing

@testable import BudgetWire
@testable import budgetctl

@Suite struct FilterReportTests {
  private func report(estimatedCostUSD: Double = 0) -> FilterReport {
    var result = FilterDeploymentsResponse()
    result.allowed = [1]
    result.denials = [
      Denial(
        position: 0, scope: .provider, name: "open\u{1B}ai", spendUSD: 12, limitUSD: 10,
        resetsAtUnixMilliseconds: 60_000),
      Denial(
        position: 0, scope: .tag, name: "t", spendUSD: 1, limitUSD: 2,
        resetsAtUnixMilliseconds: nil),
    ]
    result.denialsOmitted = 3
    let request = FilterDeploymentsRequest(
      deployments: [Deployment(id: "a", model: "m"), Deployment(provider: "p")],
      estimatedCostUSD: estimatedCostUSD)
    return FilterReport(result, to: request, nowUnixMilliseconds: 0)
  }

  @Test func everyDenialHasItsSentence() {
    #expect(
      report(estimatedCostUSD: 5).lines(columns: nil) == [
        "         DEPLOYMENT     MODEL  PROVIDER",
        "denied   a              m      derived",
        "         provider open\\u{1b}ai: $12.00 of $10.00 are spent, resets in 1 min",
        "         tag t: $1.00 and the estimate of $5.00 are over $2.00",
        "allowed  (candidate 1)  -      p",
        "... and 3 denials more",
      ])
  }

  @Test func whatNobodyHasSpentIsNotCalledSpent() {
    var result = FilterDeploymentsResponse()
    result.denials = [
      Denial(
        position: 0, scope: .tag, name: "t", spendUSD: 5, limitUSD: 5,
        resetsAtUnixMilliseconds: nil, withheldUSD: 3.3)
    ]
    let report = FilterReport(
      result,
      to: FilterDeploymentsRequest(deployments: [Deployment(id: "a", model: "m")]),
      nowUnixMilliseconds: 0)
    #expect(
      report.lines(columns: nil).contains(
        "         tag t: $5.00 of $5.00 are spent or withheld ($3.30 withheld for other nodes: Redis "
          + "is away)"))
    #expect(report.json.text.contains(#""withheld_usd":3.3"#))
  }

  @Test func whatIsReservedIsNotCalledSpent() {
    let report = report(estimatedCostUSD: 5)
    var denial = Denial(
      position: 0, scope: .tag, name: "t", spendUSD: 5, limitUSD: 5,
      resetsAtUnixMilliseconds: nil, reservedUSD: 3)
    #expect(
      report.sentence(denial)
        == "tag t: $5.00 of $5.00 are spent or reserved ($3.00 reserved)")
    denial.spendUSD = 4
    #expect(
      report.sentence(denial)
        == "tag t: $4.00 and the estimate of $5.00 are over $5.00 ($3.00 reserved)")
  }

  private func sentence(_ denial: Denial, estimate: Double = 0, message: String = "") -> String {
    var result = FilterDeploymentsResponse()
    (result.denials, result.message) = ([denial], message)
    let request = FilterDeploymentsRequest(
      deployments: [Deployment(id: "a", model: "m")], estimatedCostUSD: estimate)
    return FilterReport(result, to: request, nowUnixMilliseconds: 0).sentence(denial)
  }

  @Test func aNameForWhichThereIsNoRoomIsNotOverItsLimit() {
    var denial = Denial(
      position: 0, scope: .tag, name: "user:*", spendUSD: 0, limitUSD: 5,
      resetsAtUnixMilliseconds: 60_000)
    denial.window = "day"
    let noRoom =
      "tag user:* per day: no room for the budget of another name, all dynamic budgets are in use"
    #expect(sentence(denial) == noRoom && sentence(denial, estimate: 5) == noRoom)
    #expect(
      sentence(denial, estimate: 6)
        == "tag user:* per day: $0.00 and the estimate of $6.00 are over $5.00, resets in 1 min")
    denial.limitUSD = 0
    #expect(sentence(denial).hasPrefix("tag user:* per day: $0.00 of $0.00 are spent"))
  }

  @Test func aFreezeSaysWhyWhereTheServerDoes() {
    let start = "No deployments available - crossed budget: "
    var denial = Denial(
      position: 0, scope: .provider, name: "groq", spendUSD: 0, limitUSD: 5,
      resetsAtUnixMilliseconds: nil)
    denial.mode = .freeze
    #expect(sentence(denial) == "provider groq is frozen")
    let message = "\(start)tag t is frozen: no\nprovider groq is frozen: run\u{1B}away\n"
    #expect(sentence(denial, message: message) == "provider groq is frozen: run\\u{1b}away")
    (denial.scope, denial.name) = (.total, "total")
    #expect(sentence(denial) == "total is frozen")
    #expect(sentence(denial, message: "\(start)total is frozen: stop\n") == "total is frozen: stop")
  }

  @Test func jsonHasTheWholeAnswer() {
    let text = report().json.text
    #expect(text.hasPrefix(#"{"allowed":[1],"denials":[{"deployment":0,"scope":"provider","#))
    #expect(text.contains(#""resets_at":"1970-01-01T00:01:00.000Z""#))
    #expect(text.hasSuffix(#""exhausted":false,"message":""}"#))
  }
}
