import BudgetClient
import BudgetModel
import JSONWriting

/// The answer to `budgetctl explain`, for people and for programs.
struct ExplainReport {
  var response: ExplainRequestResponse
  /// The client's clock, to say how long until a window ends.
  var nowUnixMilliseconds: Int64

  private var all: [ExplainedBudget] { response.candidates.flatMap(\.budgets) + response.tags }

  /// A table with a line for each budget that was asked; `columns` as a terminal has them.
  func lines(columns: Int?) -> [String] {
    let showsPending = all.contains { $0.pendingUSD != 0 }
    let showsWithheld = all.contains { $0.withheldUSD != 0 }
    let showsReserved = all.contains { $0.reservedUSD != 0 }
    let header =
      ["CANDIDATE", "VERDICT", "SCOPE", "NAME", "SPEND"] + (showsPending ? ["PENDING"] : [])
      + (showsReserved ? ["RESERVED"] : []) + (showsWithheld ? ["WITHHELD"] : [])
      + ["LIMIT", "RESETS IN"]
    func row(_ first: String, _ budget: ExplainedBudget) -> [String] {
      let hasBudget = budget.verdict == .allows || budget.verdict == .denies
      func money(_ dollars: Double) -> String { hasBudget ? HumanText.money(dollars) : "-" }
      return [
        first, Self.verdict(budget), budget.scope?.description ?? "?",
        budget.name.isEmpty ? "-" : budget.name, money(budget.spendUSD),
      ] + (showsPending ? [money(budget.pendingUSD)] : [])
        + (showsReserved ? [money(budget.reservedUSD)] : [])
        + (showsWithheld ? [money(budget.withheldUSD)] : [])
        + [hasBudget ? limit(budget) : "-", hasBudget ? resets(budget) : "-"]
    }
    var rows: [[String]] = []
    for (position, candidate) in response.candidates.enumerated() {
      let id = candidate.deployment.id
      let name = id.isEmpty ? "(candidate \(position))" : id
      for (index, budget) in candidate.budgets.enumerated() {
        rows.append(
          row(index == 0 ? "\(candidate.isAllowed ? "allowed" : "denied")  \(name)" : "", budget))
      }
    }
    for (index, tag) in response.tags.enumerated() {
      rows.append(row(index == 0 ? "every candidate" : "", tag))
    }
    guard !rows.isEmpty else { return ["no candidates and no tags: no budget is asked"] }
    return PlainTable.lines(header, rows, columns: columns) + omitted
  }

  private var omitted: [String] {
    [("candidates", response.candidatesOmitted), ("tags", response.tagsOmitted)].compactMap {
      $1 > 0 ? "... and \($1) \($0) more, which one answer has no room for: ask in parts" : nil
    }
  }

  private static func verdict(_ budget: ExplainedBudget) -> String {
    let word =
      switch budget.verdict {
      case .allows: "allows"
      case .denies: "DENIES"
      case .noBudget: "no such budget"
      case .unusableName: "unusable"
      case nil: "?"
      }
    return budget.reason.isEmpty ? word : "\(word): \(budget.reason)"
  }

  private func limit(_ budget: ExplainedBudget) -> String {
    "\(budget.limitUSD.map(HumanText.money) ?? "unlimited") / \(budget.timePeriod)"
  }

  private func resets(_ budget: ExplainedBudget) -> String {
    budget.resetsAtUnixMilliseconds.map {
      HumanText.duration(from: nowUnixMilliseconds, to: $0)
    } ?? "not begun"
  }

  /// The answer for machines.
  var json: JSONValue {
    .object([
      (
        "candidates",
        .array(
          response.candidates.map { candidate in
            .object([
              ("id", .string(candidate.deployment.id)),
              ("model_name", .string(candidate.deployment.modelName)),
              ("model", .string(candidate.deployment.model)),
              ("provider", candidate.provider.isEmpty ? .null : .string(candidate.provider)),
              ("allowed", .bool(candidate.isAllowed)),
              ("budgets", .array(candidate.budgets.map(Self.json))),
            ])
          })
      ),
      ("tags", .array(response.tags.map(Self.json))),
      ("candidates_omitted", .integer(response.candidatesOmitted)),
      ("tags_omitted", .integer(response.tagsOmitted)),
    ])
  }

  private static func json(_ budget: ExplainedBudget) -> JSONValue {
    let verdict: JSONValue =
      switch budget.verdict {
      case .allows: .string("allows")
      case .denies: .string("denies")
      case .noBudget: .string("no_budget")
      case .unusableName: .string("unusable_name")
      case nil: .null
      }
    return .object([
      ("scope", budget.scope.map { .string($0.description) } ?? .null),
      ("name", .string(budget.name)), ("verdict", verdict), ("reason", .string(budget.reason)),
      ("time_period", .string(budget.timePeriod)), ("spend_usd", .number(budget.spendUSD)),
      ("pending_usd", .number(budget.pendingUSD)), ("withheld_usd", .number(budget.withheldUSD)),
      ("reserved_usd", .number(budget.reservedUSD)),
      ("limit_usd", .optional(budget.limitUSD)),
      ("resets_at", .instant(budget.resetsAtUnixMilliseconds)),
    ])
  }
}
