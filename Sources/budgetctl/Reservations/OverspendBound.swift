import BudgetClient
import BudgetModel
import JSONWriting

/// The bound on a budget's overspend, with the numbers that it is made of.
struct OverspendBound {
  private let scope: BudgetScope
  private let budget: Budget
  private let totals: ReservationTotals
  private let flightSeconds: Double
  /// Whether a pattern gives the name its budget.
  var isByPattern = false

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

  /// How many nodes keep the limit together.
  var nodes: Int { budget.reservationMode == .alone ? 1 : max(1, Int(clamping: totals.nodes)) }

  /// The cost of the open reservations beyond what is held, if they go as settled ones did; other nodes
  /// are taken to have as many.
  var overrun: Double { Double(nodes) * Double(budget.openReservations) * meanOverrun }

  /// The part that is kept back for that, on all nodes.
  var cushion: Double { Double(nodes) * budget.cushionUSD }

  /// The reservations of other nodes that are made between two agreements, and not seen here by then.
  var unseen: Double {
    guard budget.reservationMode == .shared, nodes > 1 else { return 0 }
    return rate * (2 * Double(totals.reconcileIntervalMilliseconds) / 1_000 + Self.travel)
  }

  /// The part of what is left that each other node holds in a name's budget before it asks.
  var allowances: Double {
    guard budget.reservationMode == .strict, budget.pattern == nil, isByPattern, nodes > 1,
      let limit = budget.limitUSD
    else { return 0 }
    return Double(nodes - 1) * Self.allowance * max(0, limit - budget.spendUSD)
  }

  /// As the server has it: 5 % of what is left.
  private static let allowance = 0.05
  /// Two ways to Redis and a commit.
  private static let travel = 0.1

  /// The part of spend that nothing was held for; all of it where nothing was recorded yet.
  var unreservedShare: Double {
    totals.recordedUSD > 0 ? min(1, max(0, totals.unreservedUSD / totals.recordedUSD)) : 1
  }

  /// Spend a second; zero where too little is known.
  var rate: Double { budget.quarterHourForecast?.usdPerSecond ?? 0 }

  /// The spend under way without a reservation.
  var unreserved: Double { unreservedShare * rate * flightSeconds }

  /// The bound of a budget that denies, in dollars.
  private var sum: Double { max(0, overrun - cushion) + unreserved + unseen + allowances }

  /// The bound in dollars; nil: nothing is denied at a limit, so nothing bounds what is spent.
  var dollars: Double? { budget.limitUSD == nil || budget.mode == .shadow ? nil : sum }

  /// The bound's name, by the mode.
  private var formula: String {
    switch budget.reservationMode {
    case .alone: "max(0, X - Z) + U"
    case .strict: allowances > 0 ? "max(0, X - Z) + U + A" : "max(0, X - Z) + U"
    case .shared: "max(0, X - Z) + U + S"
    case nil: "max(0, X - Z) + U, and what a later version adds"
    }
  }

  private var modeLine: String {
    switch budget.reservationMode {
    case .alone: "reservations: one node, which shares the budget with none"
    case .strict:
      "reservations: strict, \(nodes) nodes: Redis grants what each may hold; LiteLLM proxies and "
        + "plain records beside them add what they spend"
    case .shared:
      "reservations: shared, \(nodes) nodes: each goes by what it heard last, so that a burst on all "
        + "at once may pass the limit by what is left, \(nodes - 1) times"
    case nil: "reservations: a mode that this budgetctl does not know"
    }
  }

  var lines: [String] {
    let name = budget.name.isEmpty ? scope.description : "\(scope) \(budget.name.printable)"
    guard let limit = budget.limitUSD else {
      return ["\(name) has no limit: it cannot be overspent"]
    }
    func money(_ dollars: Double) -> String { HumanText.roundedMoney(dollars) }
    let standing =
      "\(name) per \(budget.timePeriod.printable): \(money(budget.spendUSD)) spent, "
      + "\(money(budget.reservedUSD)) reserved, of \(HumanText.money(limit))"
    guard let dollars else {
      return [
        standing,
        "it only watches (shadow) and denies nothing: nothing keeps it within its limit",
        "budgetctl enforce makes it deny at its limit, and bound then says how far it can be passed",
      ]
    }
    let part = limit > 0 ? ", \(HumanText.percent(fill: dollars / limit)) of the limit" : ""
    return [
      standing,
      modeLine,
      "overspent by at most \(formula) = \(money(dollars))\(part)",
      "  X  \(money(overrun)): \(budget.openReservations) open\(onEach), each \(money(meanOverrun)) above "
        + "what was held, as settled ones were on average",
      "  Z  \(money(cushion)): kept back for that",
      "  U  \(money(unreserved)): \(HumanText.percent(fill: unreservedShare)) of spend has no "
        + "reservation, of \(money(rate)) a second, \(flightSeconds) s under way",
    ] + fleetLines
      + (budget.quarterHourForecast == nil ? ["  the rate is not known yet: U is taken as 0"] : [])
  }

  private var onEach: String { nodes > 1 ? " here, as many on each node" : "" }

  private var fleetLines: [String] {
    func money(_ dollars: Double) -> String { HumanText.roundedMoney(dollars) }
    var lines: [String] = []
    if budget.reservationMode == .shared {
      lines.append(
        "  S  \(money(unseen)): reserved elsewhere and not seen yet, \(money(rate)) a second for two "
          + "agreements of \(totals.reconcileIntervalMilliseconds) ms")
    }
    if allowances > 0 {
      lines.append(
        "  A  \(money(allowances)): 5 % of what is left on each other node, which holds so much of a "
          + "name's budget without asking")
    }
    return lines
  }

  var json: JSONValue {
    .object([
      ("scope", .string(scope.description)), ("name", .string(budget.name)),
      ("time_period", .string(budget.timePeriod)), ("limit_usd", .optional(budget.limitUSD)),
      ("spend_usd", .number(budget.spendUSD)), ("reserved_usd", .number(budget.reservedUSD)),
      ("mode", .string(budget.mode?.description ?? "unknown")),
      ("bound_usd", .optional(dollars)), ("overrun_usd", .number(overrun)),
      ("cushion_usd", .number(cushion)), ("unreserved_usd", .number(unreserved)),
      ("unreserved_share", .number(unreservedShare)), ("usd_per_second", .number(rate)),
      ("rate_known", .bool(budget.quarterHourForecast != nil)),
      ("flight_seconds", .number(flightSeconds)),
      ("reservation_mode", budget.reservationMode.map { .string("\($0)") } ?? .null),
      ("nodes", .integer(nodes)), ("unseen_usd", .number(unseen)),
      ("allowances_usd", .number(allowances)),
    ])
  }
}
