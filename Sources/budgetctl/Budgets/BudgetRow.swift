import ArgumentParser
import BudgetClient
import BudgetModel
import JSONWriting

/// One line of what `budgetctl budgets` prints.
struct BudgetRow: Equatable {
  var scope: BudgetScope
  var budget: Budget

  /// How full the budget is, reservations included: 1 at the limit, more once overshot; nil where
  /// there is no limit.
  var fill: Double? {
    guard let limit = budget.limitUSD else { return nil }
    let fill = limit > 0 ? (budget.spendUSD + budget.reservedUSD) / limit : 1
    // A server may send anything: a fill that is not a number is left out.
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
      ("mode", .string(budget.mode?.description ?? "unknown")),
      ("time_zone", budget.timeZone.isEmpty ? .null : .string(budget.timeZone)),
      ("would_have_denied", .integer(Int(clamping: budget.wouldHaveDenied))),
      ("forecast_15m", Self.json(budget.quarterHourForecast)),
      ("forecast_24h", Self.json(budget.dayForecast)),
      ("pattern", Self.json(budget.pattern)),
    ])
  }

  private static func json(_ names: PatternNames?) -> JSONValue {
    guard let names else { return .null }
    return .object([
      ("limit_usd", .optional(names.limitUSD)), ("live", .integer(Int(clamping: names.live))),
    ])
  }

  private static func json(_ forecast: BudgetForecast?) -> JSONValue {
    guard let forecast else { return .null }
    return .object([
      ("usd_per_second", .number(forecast.usdPerSecond)),
      ("over_seconds", .number(forecast.overSeconds)),
      ("exhausts_at", .instant(forecast.exhaustsAtUnixMilliseconds)),
    ])
  }

  /// When it runs out, by the rate of the last 15 minutes and of the last 24 hours: `2 h (15 min)`.
  /// Empty where it lasts its window, or too little is known.
  func runsOut(from now: Int64) -> String {
    [(budget.quarterHourForecast, "15 min"), (budget.dayForecast, "24 h")].compactMap {
      forecast, span in
      forecast?.exhaustsAtUnixMilliseconds.map {
        "\(HumanText.duration(from: now, to: $0)) (\(span))"
      }
    }.joined(separator: ", ")
  }
}

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
