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

  @Test func jsonHasTheWholeAnswer() {
    let text = report().json.text
    #expect(text.hasPrefix(#"{"allowed":[1],"denials":[{"deployment":0,"scope":"provider","#))
    #expect(text.contains(#""resets_at":"1970-01-01T00:01:00.000Z""#))
    #expect(text.hasSuffix(#""exhausted":false,"message":""}"#))
  }
}
