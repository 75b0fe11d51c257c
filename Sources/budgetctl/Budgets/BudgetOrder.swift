import ArgumentParser
import BudgetClient
import BudgetModel

/// The order of the budgets of one scope.
enum BudgetOrder: String, ExpressibleByArgument, CaseIterable {
  /// As the server's configuration has them.
  case config
  /// Exhausted ones first, then nearest to their limit; those without a limit last.
  case nearest
  case name
  /// The greatest spend first.
  case spend
  /// The next to reset first; those whose window has not begun last.
  case resets

  /// The rows in this order, those that are equal in the order in which they came.
  func sorted(_ rows: [BudgetRow]) -> [BudgetRow] {
    switch self {
    case .config: return rows
    case .name: return stable(rows) { $0.budget.name < $1.budget.name }
    case .spend:
      return stable(rows) {
        Self.number($0.budget.spendUSD) > Self.number($1.budget.spendUSD)
      }
    case .resets:
      return stable(rows) {
        ($0.budget.resetsAtUnixMilliseconds ?? .max) < ($1.budget.resetsAtUnixMilliseconds ?? .max)
      }
    case .nearest:
      return stable(rows) { left, right in
        if left.budget.isExhausted != right.budget.isExhausted { return left.budget.isExhausted }
        return Self.number(left.fill) > Self.number(right.fill)
      }
    }
  }

  /// A number to sort by: NaN and nil come last, and do not upset the order of the others.
  private static func number(_ number: Double?) -> Double {
    guard let number, !number.isNaN else { return -.infinity }
    return number
  }

  private func stable(
    _ rows: [BudgetRow], _ isBefore: (BudgetRow, BudgetRow) -> Bool
  ) -> [BudgetRow] {
    rows.enumerated().sorted {
      if isBefore($0.element, $1.element) { return true }
      return !isBefore($1.element, $0.element) && $0.offset < $1.offset
    }.map(\.element)
  }
}
