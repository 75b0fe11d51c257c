import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

extension BudgetService {
  /// Tells what a budget's windows held, a page at a time. The ledger is asked off the lane; the reply
  /// comes when it has answered.
  mutating func getSpendHistory(
    _ head: RequestHead, token: LedgerToken
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.getSpendHistory(head)
    }
    guard let scope = request.scope else {
      throw ServiceRefusal(
        .invalidArgument,
        "scope: give the budget's, \(BudgetScope.inOrder.map(\.description).joined(separator: ", "))"
      )
    }
    try ServiceRefusal.check(request.name, field: "name")
    try ServiceRefusal.check(request.window, field: "window")
    guard !request.name.isEmpty || scope == .total else {
      throw ServiceRefusal(.invalidArgument, "name: give the name of the \(scope)")
    }
    if scope == .total, !request.name.isEmpty, request.name.text != BudgetKey.totalName {
      throw ServiceRefusal(
        .notFound, "the total is named '\(BudgetKey.totalName)': give that name, or none")
    }
    let catalog = catalogs.current()
    let now = context.time.now()
    let engine = context.engine
    let budget = try HistoryBudget(
      scope, request.name, window: request.window, in: catalog,
      DynamicReading(of: engine, in: catalog, at: now)
    ) { engine.report(on: $0, at: now) }
    var page = try HistoryPage(
      budget, size: request.pageSize, token: request.pageToken, at: now)
    page.isInFleet = context.fleet != nil
    guard context.recorder.tellHistory(page, token: token) else {
      throw ServiceRefusal(
        .unavailable,
        "\(HistoryDesk.waitingBound) questions about history or patterns wait already: try again in "
          + "a second")
    }
  }
}
