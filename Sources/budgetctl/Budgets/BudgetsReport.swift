import BudgetClient
import BudgetModel

/// What `budgetctl budgets` has to show at one time.
struct BudgetsReport {
  /// Providers first, then deployments, then tags, each as the server has them.
  var rows: [BudgetRow]
  /// The scopes that were asked for.
  var scopes: [BudgetScope]
  /// When the node last agreed with Redis; nil: no Redis, or not yet.
  var reconciledAtUnixMilliseconds: Int64?

  init(_ response: GetProviderBudgetsResponse, scopes: [BudgetScope]) {
    self.scopes = scopes
    rows =
      response.providers.map { BudgetRow(scope: .provider, budget: $0) }
      + response.deployments.map { BudgetRow(scope: .deployment, budget: $0) }
      + response.tags.map { BudgetRow(scope: .tag, budget: $0) }
    reconciledAtUnixMilliseconds = response.reconciledAtUnixMilliseconds
  }

  init(rows: [BudgetRow], scopes: [BudgetScope]) {
    self.rows = rows
    self.scopes = scopes
  }

  /// A table a scope, blank lines between them.
  func lines(_ table: BudgetsTable) -> [String] {
    var lines: [String] = []
    for scope in scopes {
      if !lines.isEmpty { lines.append("") }
      lines += table.lines(
        title: scope.description, rows: rows.filter { $0.scope == scope })
    }
    if let reconciledAt = reconciledAtUnixMilliseconds {
      let age = table.nowUnixMilliseconds - reconciledAt
      lines += ["", "agreed with Redis \(HumanText.duration(milliseconds: max(1, age))) ago"]
    }
    return lines
  }

  /// The budgets as one array.
  var json: [JSONValue] { rows.map(\.json) }
}
