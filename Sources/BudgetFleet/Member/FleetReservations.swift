import BudgetModel
public import Reconciliation

/// How reservations are kept within the limits that nodes share.
public struct FleetReservations: Sendable {
  /// The way of budgets that no pattern names.
  public var mode = ClaimMode.strict
  /// Budgets that go the way `shared`, whatever `mode` says.
  public var shared: [SharedBudgets] = []
  /// How long a reservation waits at most until the fleet was asked.
  public var wait = Duration.seconds(1)

  /// The standard ones.
  public init() {}

  /// The way of one budget.
  func mode(of key: BudgetKey) -> ClaimMode {
    mode == .shared || shared.contains { $0.contains(key) } ? .shared : .strict
  }
}

/// Budgets by scope and name, as `--shared-budget` names them: `tag:batch-*`, `provider:openai`, `total`.
public struct SharedBudgets: Hashable, Sendable {
  private let scope: BudgetScope
  /// Nil: all of the scope.
  private let name: String?
  private let isBeginning: Bool

  /// Nil: the text is a scope, or a scope, a colon and a name, which may end in `*`.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let scope = BudgetScope.allCases.first(where: { "\($0)" == parts[0] }) else {
      return nil
    }
    self.scope = scope
    isBeginning = parts.last?.last == "*"
    name = parts.count == 2 ? String(isBeginning ? parts[1].dropLast() : parts[1]) : nil
    if parts.count == 2, parts[1].isEmpty { return nil }
  }

  /// Whether the budget is one of them.
  func contains(_ key: BudgetKey) -> Bool {
    guard key.scope == scope else { return false }
    guard let name else { return true }
    return isBeginning ? key.name.hasPrefix(name) : key.name == name
  }
}
