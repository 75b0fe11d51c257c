import BudgetClient
import BudgetModel

/// One line of what `budgetctl budgets` prints.
struct BudgetRow: Equatable {
  var scope: BudgetScope
  var budget: Budget

  /// How full the budget is, reservations included: 1 at the limit, more once overshot; nil where
  /// there is no limit.
  var fill: Double? {
    guard let limit = budget.limitUSD else { return nil }
    let fill = limit > 0 ? (budget.spendUSD + budget.reservedUSD) / limit : 1
    // Whatever a server sends: what is no number is no fill.
    return fill.isNaN ? nil : fill
  }

  /// The budget for machines.
  var json: JSONValue {
    .object([
      ("scope", .string(scope.description)),
      ("name", .string(budget.name)),
      ("limit_usd", .optional(budget.limitUSD)),
      ("time_period", .string(budget.timePeriod)),
      ("spend_usd", .number(budget.spendUSD)),
      ("remaining_usd", .optional(budget.remainingUSD)),
      ("reserved_usd", .number(budget.reservedUSD)),
      ("exhausted", .bool(budget.isExhausted)),
      ("resets_at", .instant(budget.resetsAtUnixMilliseconds)),
    ])
  }
}
