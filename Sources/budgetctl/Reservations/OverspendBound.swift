import BudgetClient
import BudgetModel
import JSONWriting

/// The bound on a budget's overspend on one node, with the numbers that it is made of.
struct OverspendBound {
  private let scope: BudgetScope
  private let budget: Budget
  private let totals: ReservationTotals
  private let flightSeconds: Double

  init(
    _ budget: Budget, _ scope: BudgetScope, _ totals: ReservationTotals, flightSeconds: Double
  ) {
    self.scope = scope
    self.budget = budget
    self.totals = totals
    self.flightSeconds = flightSeconds
  }

  /// The mean cost of settled reservations beyond what was held.
  var meanOverrun: Double {
    totals.settled > 0 ? totals.overrunUSD / Double(totals.settled) : 0
  }

  /// The cost of the open reservations beyond what is held, if they go as settled ones did.
  var overrun: Double { Double(budget.openReservations) * meanOverrun }

  /// The part of spend that nothing was held for; all of it where nothing was recorded yet.
  var unreservedShare: Double {
    totals.recordedUSD > 0 ? min(1, max(0, totals.unreservedUSD / totals.recordedUSD)) : 1
  }

  /// Spend a second; zero where too little is known.
  var rate: Double { budget.quarterHourForecast?.usdPerSecond ?? 0 }

  /// The spend under way without a reservation.
  var unreserved: Double { unreservedShare * rate * flightSeconds }

  /// The bound in dollars.
  var dollars: Double { max(0, overrun - budget.cushionUSD) + unreserved }

  var lines: [String] {
    let name = budget.name.isEmpty ? scope.description : "\(scope) \(budget.name.printable)"
    guard let limit = budget.limitUSD else {
      return ["\(name) has no limit: it cannot be overspent"]
    }
    let part = limit > 0 ? ", \(HumanText.percent(fill: dollars / limit)) of the limit" : ""
    func money(_ dollars: Double) -> String { HumanText.roundedMoney(dollars) }
    return [
      "\(name) per \(budget.timePeriod.printable): \(money(budget.spendUSD)) spent, "
        + "\(money(budget.reservedUSD)) reserved, of \(HumanText.money(limit))",
      "overspent by at most max(0, X - Z) + U = \(money(dollars))\(part)",
      "  X  \(money(overrun)): \(budget.openReservations) open, each \(money(meanOverrun)) above "
        + "what was held, as settled ones were on average",
      "  Z  \(money(budget.cushionUSD)): kept back for that",
      "  U  \(money(unreserved)): \(HumanText.percent(fill: unreservedShare)) of spend has no "
        + "reservation, of \(money(rate)) a second, \(flightSeconds) s under way",
    ] + (budget.quarterHourForecast == nil ? ["  the rate is not known yet: U is taken as 0"] : [])
  }

  var json: JSONValue {
    .object([
      ("scope", .string(scope.description)), ("name", .string(budget.name)),
      ("time_period", .string(budget.timePeriod)), ("limit_usd", .optional(budget.limitUSD)),
      ("spend_usd", .number(budget.spendUSD)), ("reserved_usd", .number(budget.reservedUSD)),
      ("bound_usd", .number(dollars)), ("overrun_usd", .number(overrun)),
      ("cushion_usd", .number(budget.cushionUSD)), ("unreserved_usd", .number(unreserved)),
      ("unreserved_share", .number(unreservedShare)), ("usd_per_second", .number(rate)),
      ("rate_known", .bool(budget.quarterHourForecast != nil)),
      ("flight_seconds", .number(flightSeconds)),
    ])
  }
}
