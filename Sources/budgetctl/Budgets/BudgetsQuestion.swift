import BudgetClient
import BudgetModel

/// Which budgets to show, and how to ask the server for them.
struct BudgetsQuestion {
  /// The scopes that were asked for; the others are shown too when one of theirs is exhausted.
  var scopes: [BudgetScope]
  /// Only budgets of these names, of whatever scope; empty = all.
  var names: [String] = []
  /// Only the budgets that names have by this pattern, nearest to their limits first.
  var pattern: String?
  /// How many of them.
  var top: UInt32 = 20
  /// Only budgets that are exhausted, of whatever scope.
  var isExhaustedOnly = false
  /// Whether to look at scopes that were not asked for.
  var looksElsewhere = true
  /// The order within a scope.
  var order = BudgetOrder.config

  /// How many pages of scopes that were not asked for are looked at.
  static let pagesElsewhere = 100

  /// Asks the server.
  func report(from client: BudgetClient) async throws(BudgetClientError) -> BudgetsReport {
    var request = GetProviderBudgetsRequest()
    if let pattern {
      request.pattern = pattern
      request.nearest = top
      var report = BudgetsReport(
        try await client.getProviderBudgets(request), scopes: BudgetScope.inOrder)
      report.hidesEmptyScopes = true
      report.noRows = "no name has a budget by \(pattern)"
      return report
    }
    let isEveryScope = !names.isEmpty || isExhaustedOnly
    request.include(isEveryScope ? BudgetScope.inOrder : scopes)
    request.providers = names
    request.models = names
    request.deploymentIDs = names
    request.tags = names
    var report = BudgetsReport(
      try await client.allBudgets(request),
      scopes: isEveryScope ? BudgetScope.inOrder : scopes)
    // Pools and the total are not asked for by name.
    if !names.isEmpty { report.rows.removeAll { !names.contains($0.budget.name) } }
    if isEveryScope {
      report.hidesEmptyScopes = true
      let found = Set(report.rows.map(\.budget.name))
      report.missing = names.filter { !found.contains($0) }
      if isExhaustedOnly { report.rows.removeAll { !$0.budget.isExhausted } }
    } else if looksElsewhere {
      try await look(elsewhereWith: client, &report)
    }
    report.sort(by: order)
    return report
  }

  /// Looks for exhausted budgets in scopes that were not asked for, and adds these scopes whole where
  /// there are any.
  private func look(
    elsewhereWith client: BudgetClient, _ report: inout BudgetsReport
  ) async throws(BudgetClientError) {
    let others = BudgetScope.inOrder.filter { !scopes.contains($0) }
    guard !others.isEmpty else { return }
    var request = GetProviderBudgetsRequest()
    request.include(others)
    var rows: [BudgetRow] = []
    for _ in 0..<Self.pagesElsewhere {
      let page = try await client.getProviderBudgets(request)
      rows += BudgetsReport(page, scopes: others).rows.filter { others.contains($0.scope) }
      request.pageToken = page.nextPageToken
      if page.nextPageToken.isEmpty { break }
    }
    report.isCutElsewhere = !request.pageToken.isEmpty
    report.addElsewhere(rows)
  }
}

extension GetProviderBudgetsRequest {
  /// Asks for the budgets of these scopes, providers always.
  fileprivate mutating func include(_ scopes: [BudgetScope]) {
    includesDeployments = scopes.contains(.deployment)
    includesTags = scopes.contains(.tag)
    includesModels = scopes.contains(.model)
    includesPools = scopes.contains(.pool) || scopes.contains(.total)
  }
}
