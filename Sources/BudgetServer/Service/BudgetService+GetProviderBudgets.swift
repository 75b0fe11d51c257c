import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Where the budgets stand, a page at a time. Not the hot path: it may allocate.
  mutating func budgets(
    _ request: GetProviderBudgetsView, callID: UInt64, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let catalog = catalogs.current()
    let page = try BudgetPage(request, in: catalog)
    let now = context.time.now()
    var response = ProviderBudgetsResult()
    for budget in page.budgets {
      let report = context.engine.report(on: budget, at: now)
      let message = BudgetMessage(report)
      switch report.key.scope {
      case .provider: response.providers.append(message)
      case .deployment: response.deployments.append(message)
      case .tag: response.tags.append(message)
      }
    }
    response.nextPageToken = page.nextToken
    response.reconciledAtUnixMilliseconds =
      context.fleet?.reconciledAt?.unixMilliseconds ?? 0
    responses.appendProviderBudgets(response, callID: callID, to: &output)
  }

  /// Who answers, and whether it is ready.
  func ping(callID: UInt64, output: inout [UInt8]) {
    var response = PingResult()
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
    response.methods = MethodName.allCases.filter {
      CountedMethod.served.contains(CountedMethod.position(of: $0))
    }.map(\.description)
    responses.appendPing(response, callID: callID, to: &output)
  }
}

extension BudgetMessage {
  fileprivate init(_ report: BudgetReport) {
    self.init(name: report.key.name, timePeriod: report.key.windowText)
    limitUSD = report.limit?.dollars
    spendUSD = report.spend.dollars
    remainingUSD = report.remaining?.dollars
    resetsAtUnixMilliseconds = report.resetsAt?.unixMilliseconds
    isExhausted = report.isExhausted
  }
}
