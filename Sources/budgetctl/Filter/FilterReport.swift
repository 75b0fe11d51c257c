import BudgetClient
import BudgetModel
import JSONWriting

/// The answer to `budgetctl filter`, for people and for programs.
struct FilterReport {
  var response: FilterDeploymentsResponse
  /// The candidates: the server's where it supplied them, else those that were sent.
  var candidates: [Deployment]
  /// Whether the question had an estimate, which alone can deny below the limit.
  var estimatedCostUSD: Double
  var nowUnixMilliseconds: Int64
  /// By position: the provider whose budget was asked, empty where there is none; fewer than there are
  /// candidates where the server does not say.
  private var providers: [String] = []

  init(
    _ response: FilterDeploymentsResponse, to request: FilterDeploymentsRequest,
    nowUnixMilliseconds: Int64
  ) {
    self.response = response
    self.nowUnixMilliseconds = nowUnixMilliseconds
    estimatedCostUSD = request.estimatedCostUSD
    candidates = response.candidates.isEmpty ? request.deployments : response.candidates
  }

  /// Takes over which providers the server derived.
  mutating func add(_ explained: ExplainRequestResponse) {
    providers = explained.candidates.map(\.provider)
  }

  /// A line a candidate, and below the denied ones a sentence a denial; `columns` as a terminal has
  /// them.
  func lines(columns: Int?) -> [String] {
    guard !candidates.isEmpty else { return ["no candidates"] }
    let allowed = Set(response.allowed)
    let denials = Dictionary(grouping: response.denials, by: \.position)
    var lines: [String] = []
    let table = PlainTable.lines(
      ["", "DEPLOYMENT", "MODEL", "PROVIDER"],
      candidates.enumerated().map { position, candidate in
        [
          allowed.contains(position) ? "allowed" : "denied",
          candidate.id.isEmpty ? "(candidate \(position))" : candidate.id,
          candidate.model.isEmpty ? "-" : candidate.model,
          provider(position),
        ]
      }, columns: columns)
    lines.append(table[0])
    for position in candidates.indices {
      lines.append(table[position + 1])
      lines += denials[position, default: []].map { "         \(sentence($0))" }
    }
    if response.denialsOmitted > 0 {
      lines.append("... and \(response.denialsOmitted) denials more")
    }
    return lines
  }

  private func provider(_ position: Int) -> String {
    let given = candidates[position].provider
    if !given.isEmpty { return given }
    guard providers.indices.contains(position) else { return "derived" }
    return providers[position].isEmpty ? "none" : providers[position]
  }

  /// Why one budget denies, and until when.
  func sentence(_ denial: Denial) -> String {
    let scope = denial.scope?.description ?? "budget"
    let window = denial.window.isEmpty ? "" : " per \(denial.window.printable)"
    // The total has one name alone, which is its scope's.
    let subject = denial.scope == .total ? scope : "\(scope) \(denial.name.printable)"
    if denial.mode == .freeze {
      let reason = freezeReason(denial)
      return "\(subject)\(window) is frozen" + (reason.isEmpty ? "" : ": \(reason)")
    }
    if isForWantOfRoom(denial) {
      return
        "\(subject)\(window): no room for the budget of another name, all dynamic budgets are in "
        + "use"
    }
    let isWithheld = denial.withheldUSD > 0
    let withheld =
      isWithheld
      ? " (\(HumanText.money(denial.withheldUSD)) withheld for other nodes: Redis is away)" : ""
    let isReserved = denial.reservedUSD > 0
    let reserved = isReserved ? " (\(HumanText.money(denial.reservedUSD)) reserved)" : ""
    let amounts =
      denial.spendUSD >= denial.limitUSD
      ? "\(HumanText.money(denial.spendUSD)) of \(HumanText.money(denial.limitUSD)) are spent"
        + (isReserved ? " or reserved" : "") + (isWithheld ? " or withheld" : "")
      : "\(HumanText.money(denial.spendUSD)) and the estimate of "
        + "\(HumanText.money(estimatedCostUSD)) are over \(HumanText.money(denial.limitUSD))"
    let end =
      denial.resetsAtUnixMilliseconds.map {
        ", resets in \(HumanText.duration(from: nowUnixMilliseconds, to: $0))"
      } ?? ""
    return "\(subject)\(window): \(amounts)\(reserved)\(withheld)\(end)"
  }

  /// Whether the denier has no place for a name: nothing is spent, and the estimate alone would fit.
  private func isForWantOfRoom(_ denial: Denial) -> Bool {
    denial.spendUSD == 0 && denial.withheldUSD == 0 && denial.reservedUSD == 0
      && denial.limitUSD > 0 && estimatedCostUSD <= denial.limitUSD
  }

  /// The start of the server's message, before its first sentence.
  private static let messageStart = "No deployments available - crossed budget: "

  /// Why an operator froze it, as the message says; empty: it does not.
  private func freezeReason(_ denial: Denial) -> String {
    guard let scope = denial.scope else { return "" }
    let subject = scope == .total ? "\(scope)" : "\(scope) \(denial.name)"
    let start = "\(subject) is frozen: "
    let lines = response.message.split(separator: "\n").map { line in
      line.hasPrefix(Self.messageStart) ? line.dropFirst(Self.messageStart.count) : line
    }
    return lines.first { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)).printable }
      ?? ""
  }

  /// The provider that the server derived, null for none; nothing where it does not say.
  private func derived(_ position: Int) -> [(key: String, value: JSONValue)] {
    guard providers.indices.contains(position) else { return [] }
    let provider = providers[position]
    return [("derived_provider", provider.isEmpty ? .null : .string(provider))]
  }

  /// The answer for machines.
  var json: JSONValue {
    .object([
      ("allowed", .array(response.allowed.map(JSONValue.integer))),
      (
        "denials",
        .array(
          response.denials.map { denial in
            .object([
              ("deployment", .integer(denial.position)),
              ("scope", denial.scope.map { .string($0.description) } ?? .null),
              ("name", .string(denial.name)),
              ("spend_usd", .number(denial.spendUSD)),
              ("limit_usd", .number(denial.limitUSD)),
              ("resets_at", .instant(denial.resetsAtUnixMilliseconds)),
              ("withheld_usd", .number(denial.withheldUSD)),
              ("reserved_usd", .number(denial.reservedUSD)),
              ("mode", .string(denial.mode?.description ?? "unknown")),
              ("time_period", denial.window.isEmpty ? .null : .string(denial.window)),
            ])
          })
      ),
      ("denials_omitted", .integer(response.denialsOmitted)),
      (
        "candidates",
        .array(
          candidates.enumerated().map { position, candidate in
            .object(
              [
                ("id", .string(candidate.id)), ("model_name", .string(candidate.modelName)),
                ("model", .string(candidate.model)), ("provider", .string(candidate.provider)),
              ] + derived(position))
          })
      ),
      ("exhausted", .bool(response.isExhausted)),
      ("message", .string(response.message)),
    ])
  }
}
