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
      let message = Budget(report, budget.definition.rule)
      switch report.key.scope {
      case .provider: response.providers.append(message)
      case .deployment: response.deployments.append(message)
      case .tag: response.tags.append(message)
      case .model: response.models.append(message)
      case .pool: response.pools.append(message)
      case .total: response.total.append(message)
      }
    }
    response.nextPageToken = page.nextToken
    response.reconciledAtUnixMilliseconds = context.fleet?.reconciledAt?.unixMilliseconds
    responses.appendProviderBudgets(response, callID: head.callID, to: &output)
  }
}

extension Budget {
  fileprivate init(_ report: BudgetReport, _ rule: WindowRule) {
    self.init(name: report.key.name, timePeriod: report.key.windowText)
    limitUSD = report.limit?.dollars
    spendUSD = report.spend.dollars
    remainingUSD = report.remaining?.dollars
    resetsAtUnixMilliseconds = report.resetsAt?.unixMilliseconds
    isExhausted = report.isExhausted
    mode = report.mode
    wouldHaveDenied = report.shadowed
    if case .calendar(let windows) = rule {
      timeZone = windows.zone.name
      beginsOn = windows.firstDayText ?? ""
    }
  }
}
