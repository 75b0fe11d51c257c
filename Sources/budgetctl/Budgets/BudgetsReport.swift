import BudgetClient
import BudgetModel
import JSONWriting

/// The contents of `budgetctl budgets` at one time.
struct BudgetsReport {
  /// In the order of `BudgetScope.inOrder`.
  var rows: [BudgetRow]
  /// The scopes that are shown.
  var scopes: [BudgetScope]
  /// When the node last agreed with Redis; nil: no Redis, or not yet.
  var reconciledAtUnixMilliseconds: Int64?
  /// Names that were asked for and have no budget.
  var missing: [String] = []
  /// Whether scopes without budgets to show are left out.
  var hidesEmptyScopes = false
  /// The line where there is nothing to show.
  var noRows = "no budget is exhausted"
  /// Whether scopes that were not asked for have more budgets than were looked at.
  var isCutElsewhere = false
  /// How many budgets are exhausted in scopes that were not asked for.
  private(set) var exhaustedElsewhere = 0

  init(_ response: GetProviderBudgetsResponse, scopes: [BudgetScope]) {
    self.scopes = scopes
    rows =
      response.providers.map { BudgetRow(scope: .provider, budget: $0) }
      + response.deployments.map { BudgetRow(scope: .deployment, budget: $0) }
      + response.models.map { BudgetRow(scope: .model, budget: $0) }
      + response.pools.map { BudgetRow(scope: .pool, budget: $0) }
      + response.tags.map { BudgetRow(scope: .tag, budget: $0) }
      + response.total.map { BudgetRow(scope: .total, budget: $0) }
    reconciledAtUnixMilliseconds = response.reconciledAtUnixMilliseconds
  }

  init(rows: [BudgetRow], scopes: [BudgetScope]) {
    self.rows = rows
    self.scopes = scopes
  }

  /// Takes in budgets of scopes that were not asked for, where one of them is exhausted.
  mutating func addElsewhere(_ others: [BudgetRow]) {
    exhaustedElsewhere = others.count { $0.budget.isExhausted }
    guard exhaustedElsewhere > 0 else { return }
    rows += others
    scopes = BudgetScope.inOrder
  }

  /// Sorts the budgets of each scope.
  mutating func sort(by order: BudgetOrder) {
    rows = BudgetScope.inOrder.flatMap { scope in order.sorted(rows.filter { $0.scope == scope }) }
  }

  /// A table a scope, blank lines between them, and below what is out of the ordinary.
  func lines(_ table: BudgetsTable) -> [String] {
    var lines: [String] = []
    for scope in scopes {
      let rows = rows.filter { $0.scope == scope }
      if rows.isEmpty, hidesEmptyScopes || !BudgetScope.ofLiteLLM.contains(scope) { continue }
      if !lines.isEmpty { lines.append("") }
      lines += table.lines(title: scope.description, rows: rows)
    }
    if lines.isEmpty, missing.isEmpty { lines.append(noRows) }
    if let elsewhere { lines += ["", elsewhere] }
    if let reconciledAt = reconciledAtUnixMilliseconds {
      let age = HumanText.duration(from: reconciledAt, to: table.nowUnixMilliseconds)
      lines += ["", age == "now" ? "agreed with Redis just now" : "agreed with Redis \(age) ago"]
    }
    return lines
  }

  /// Why more is shown than was asked for, or that not all was looked at.
  private var elsewhere: String? {
    if exhaustedElsewhere > 0 {
      let counted =
        exhaustedElsewhere == 1 ? "1 budget is" : "\(exhaustedElsewhere) budgets are"
      return "All scopes are shown, since \(counted) exhausted outside those asked for; "
        + "--exhausted shows only exhausted ones"
    }
    guard isCutElsewhere else { return nil }
    let looked = BudgetsQuestion.pagesElsewhere * 1_000
    return "Of other scopes only the first \(looked) budgets were looked at, and none of them is "
      + "exhausted; --exhausted looks at all"
  }

  /// The budgets as one array.
  var json: [JSONValue] { rows.map(\.json) }
}
