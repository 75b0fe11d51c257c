import BudgetClient
import BudgetModel
import JSONWriting

/// The reserved amounts, for people and for programs.
struct ReservationsReport {
  private let rows: [BudgetRow]
  /// Nil: a server before 0.7.0.
  private let totals: ReservationTotals?

  init(_ budgets: GetProviderBudgetsResponse, isOpenOnly: Bool) {
    let all = BudgetsReport(budgets, scopes: BudgetScope.inOrder).rows
    rows = isOpenOnly ? all.filter { $0.budget.reservedUSD > 0 } : all
    totals = budgets.reservations
  }

  func lines(columns: Int?) -> [String] {
    guard let totals else { return ["the server knows no reservations: it is older than 0.7.0"] }
    var lines = [Self.sentence(totals)]
    guard !rows.isEmpty else { return lines + ["nothing is reserved in any budget"] }
    lines += PlainTable.lines(
      ["SCOPE", "BUDGET", "OPEN", "RESERVED", "SPEND", "LIMIT", "LEFT"],
      rows.map { row in
        let budget = row.budget
        return [
          row.scope.description, budget.name.printable, "\(budget.openReservations)",
          HumanText.roundedMoney(budget.reservedUSD), HumanText.roundedMoney(budget.spendUSD),
          "\(budget.limitUSD.map { HumanText.money($0) } ?? "unlimited") / "
            + budget.timePeriod.printable,
          budget.isAllReserved
            ? "0, all reserved" : budget.remainingUSD.map { HumanText.roundedMoney($0) } ?? "-",
        ]
      }, columns: columns)
    return lines
  }

  private static func sentence(_ totals: ReservationTotals) -> String {
    let open = totals.open == 1 ? "1 reservation is open" : "\(totals.open) reservations are open"
    return "\(open), at most \(totals.openBound) may be; \(totals.settled) were settled since the "
      + "start, \(HumanText.roundedMoney(totals.overrunUSD)) above what was held"
  }

  var json: JSONValue {
    .object([
      ("open", .integer(Int(clamping: totals?.open ?? 0))),
      ("open_bound", .integer(Int(clamping: totals?.openBound ?? 0))),
      ("settled", .integer(Int(clamping: totals?.settled ?? 0))),
      ("overrun_usd", .number(totals?.overrunUSD ?? 0)),
      ("recorded_usd", .number(totals?.recordedUSD ?? 0)),
      ("unreserved_usd", .number(totals?.unreservedUSD ?? 0)),
      (
        "budgets",
        .array(
          rows.map { row in
            .object([
              ("scope", .string(row.scope.description)), ("name", .string(row.budget.name)),
              ("time_period", .string(row.budget.timePeriod)),
              ("open", .integer(Int(row.budget.openReservations))),
              ("reserved_usd", .number(row.budget.reservedUSD)),
              ("cushion_usd", .number(row.budget.cushionUSD)),
              ("spend_usd", .number(row.budget.spendUSD)),
              ("limit_usd", .optional(row.budget.limitUSD)),
              ("remaining_usd", .optional(row.budget.remainingUSD)),
              ("all_reserved", .bool(row.budget.isAllReserved)),
            ])
          })
      ),
    ])
  }
}

extension Budget {
  /// Whether it denies for what is reserved, and not for what is spent.
  var isAllReserved: Bool {
    guard let limitUSD, let remainingUSD else { return false }
    return reservedUSD > 0 && spendUSD < limitUSD && remainingUSD <= 0
  }
}
