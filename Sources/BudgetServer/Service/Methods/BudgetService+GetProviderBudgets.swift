import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Tells where the budgets stand, a page at a time. Not the hot path: it may allocate.
  mutating func getProviderBudgets(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.getProviderBudgets(head)
    }
    let catalog = catalogs.current()
    let page = try BudgetPage(request, in: catalog)
    let now = context.time.now()
    var response = GetProviderBudgetsResponse()
    for budget in page.budgets {
      let report = context.engine.report(on: budget, at: now)
      let message = Budget(report)
      switch report.key.scope {
      case .provider: response.providers.append(message)
      case .deployment: response.deployments.append(message)
      case .tag: response.tags.append(message)
      }
    }
    response.nextPageToken = page.nextToken
    response.reconciledAtUnixMilliseconds = context.fleet?.reconciledAt?.unixMilliseconds
    responses.appendProviderBudgets(response, callID: head.callID, to: &output)
  }
}

extension Budget {
  fileprivate init(_ report: BudgetReport) {
    self.init(name: report.key.name, timePeriod: report.key.windowText)
    limitUSD = report.limit?.dollars
    spendUSD = report.spend.dollars
    remainingUSD = report.remaining?.dollars
    resetsAtUnixMilliseconds = report.resetsAt?.unixMilliseconds
    isExhausted = report.isExhausted
  }
}
