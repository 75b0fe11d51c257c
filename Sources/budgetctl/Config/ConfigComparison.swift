import BudgetClient
import BudgetModel
import JSONWriting

/// The changes that a config would make on a running server, with what is spent there, and which of its
/// operators' changes would go on over it.
struct ConfigComparison {
  /// A budget or a pattern, as one side has it.
  private struct Policy: Equatable {
    var limit: Double?
    /// Nil: the server's is an operator's change, and the configuration's is not told.
    var mode: BudgetMode?
    /// The zone and the first day of a calendar's windows, as they are said; empty: there are none, or the
    /// server does not tell them of a pattern.
    var calendar = ""
  }

  /// A budget or a pattern of the server.
  private struct Running {
    var key: BudgetKey
    var policy: Policy
    var spend: Double?
    var names: UInt64?
  }

  /// How a budget would change.
  private enum Kind: String {
    case added, dropped, changed
    /// Its window has another text of the same length: window and spend go on.
    case renamed
  }

  /// One budget that would change.
  private struct Row {
    var kind: Kind
    var key: BudgetKey
    var before: Policy?
    var after: Policy?
    /// The spend in the open window; nil: the server has no such budget, or it is a pattern.
    var spend: Double?
    /// How many names have a budget by the pattern now; nil: it is none.
    var names: UInt64?
    /// The window's text as it would be, where that is another one.
    var window: String?
    /// An operator's limit and mode that would hold over the configuration's.
    var heldLimit: BudgetOverride?
    var heldMode: BudgetMode?

    init(kind: Kind, key: BudgetKey, after: Policy?) {
      (self.kind, self.key, self.after) = (kind, key, after)
    }

    init(_ kind: Kind, _ running: Running, after: Policy?) {
      self.init(kind: kind, key: running.key, after: after)
      (before, spend, names) = (running.policy, running.spend, running.names)
    }

    /// The zone and first day of its windows as they would be, where these are others.
    var newCalendar: String? {
      guard names == nil, window == nil, let before, let after,
        before.calendar != after.calendar, !after.calendar.isEmpty
      else { return nil }
      return after.calendar
    }

    /// Whether filters would deny at once.
    var denies: Bool {
      guard let spend, let after else { return false }
      let mode = heldMode ?? after.mode
      let limit = heldLimit.map { $0.hasNoLimit ? nil : $0.limitUSD } ?? after.limit
      return mode == .freeze || mode != .shadow && limit.map { spend >= $0 } ?? false
    }

    /// Takes an operator's change that would hold, where it is of this budget.
    mutating func hold(_ change: BudgetOverride) {
      let target = change.target
      guard target.scope == key.scope,
        ConfigComparison.name(key.scope, target.name).name == key.name
      else { return }
      if change.mode != nil { heldMode = change.mode }
      if change.mode == nil, ExactText(target.window) == ExactText(window ?? key.windowText) {
        heldLimit = change
      }
    }
  }

  private let server: String
  private let rows: [Row]
  private let overrides: [(change: BudgetOverride, isInForce: Bool)]

  /// Compares `configuration` with the budgets of a page and the changes in force there.
  init(
    _ configuration: BudgetConfiguration, with page: GetProviderBudgetsResponse,
    _ changes: [BudgetOverride], on server: String
  ) {
    self.server = server
    let modes = Set(
      changes.filter { $0.mode != nil }.map { Self.name($0.target.scope, $0.target.name) })
    var running: [Running] = []
    for row in BudgetsReport(page, scopes: BudgetScope.inOrder).rows {
      let (budget, scope) = (row.budget, row.scope)
      let isChanged = modes.contains(Self.name(scope, budget.name))
      // A name that is frozen without a budget is shown as one that has no window.
      if budget.timePeriod.isEmpty { continue }
      let inForce = budget.pattern.map(\.limitUSD) ?? budget.limitUSD
      running.append(
        Running(
          key: BudgetKey(scope: scope, name: budget.name, windowText: budget.timePeriod),
          policy: Policy(
            limit: budget.overrideVersion.isEmpty ? inForce : budget.configuredLimitUSD,
            mode: isChanged ? nil : budget.mode,
            calendar: budget.pattern == nil ? Self.calendar(budget.timeZone, budget.beginsOn) : ""),
          spend: budget.pattern == nil ? budget.spendUSD : nil, names: budget.pattern?.live))
    }
    let planned =
      configuration.budgets.map { (key: $0.key, policy: $0.policy, rule: $0.rule) }
      + configuration.patterns.map { (key: $0.key, policy: $0.policy, rule: $0.rule) }
    let compared = Self.rows(running, planned)
    let names = Set(planned.map { Self.name($0.key.scope, $0.key.name) })
    let keys = Set(planned.map { $0.key })
    overrides = changes.map { change in
      let target = change.target
      guard let scope = target.scope else { return (change, false) }
      if change.mode != nil {
        let isGiven = !configuration.patterns(giving: target.name, scope: scope).isEmpty
        // A freeze needs no budget.
        return (
          change,
          change.mode == .freeze || isGiven || names.contains(Self.name(scope, target.name))
        )
      }
      let key = BudgetKey(scope: scope, name: target.name, windowText: target.window)
      let isGiven = configuration.patterns(giving: target.name, scope: scope).contains {
        ExactText($0.key.windowText) == ExactText(target.window)
      }
      return (change, isGiven || keys.contains(key))
    }
    let held = overrides.filter(\.isInForce)
    rows = compared.map { row in
      var row = row
      for (change, _) in held { row.hold(change) }
      return row
    }
  }

  /// `in Europe/Berlin, from monday on`.
  private static func calendar(_ zone: String, _ firstDay: String) -> String {
    guard !zone.isEmpty else { return "" }
    return "in \(zone)" + (firstDay.isEmpty ? "" : ", from \(firstDay) on")
  }

  private static func calendar(_ rule: WindowRule) -> String {
    guard case .calendar(let windows) = rule else { return "" }
    return calendar(windows.zone.name, windows.firstDayText ?? "")
  }

  private static func name(_ scope: BudgetScope?, _ name: String) -> BudgetKey {
    BudgetKey(
      scope: scope ?? .total, name: scope == .total ? BudgetKey.totalName : name, windowText: "")
  }

  private static func rows(
    _ running: [Running],
    _ planned: [(key: BudgetKey, policy: BudgetPolicy, rule: WindowRule)]
  ) -> [Row] {
    var left = Dictionary(
      running.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    var rows: [Row] = []
    var added: [(key: BudgetKey, policy: Policy, rule: WindowRule)] = []
    for plan in planned {
      let policy = Policy(
        limit: plan.policy.limit?.dollars, mode: plan.policy.mode, calendar: calendar(plan.rule))
      guard let known = left.removeValue(forKey: plan.key) else {
        added.append((plan.key, policy, plan.rule))
        continue
      }
      if known.policy.limit != policy.limit
        || known.policy.mode.map({ $0 != policy.mode }) ?? false
        || known.names == nil && known.policy.calendar != policy.calendar
      {
        rows.append(Row(.changed, known, after: policy))
      }
    }
    for (key, policy, rule) in added {
      let renamed = left.values.first { other in
        other.key.scope == key.scope && ExactText(other.key.name) == ExactText(key.name)
          && (try? WindowRule(text: other.key.windowText))?.isLike(rule) ?? false
      }
      guard let renamed else {
        rows.append(Row(kind: .added, key: key, after: policy))
        continue
      }
      left[renamed.key] = nil
      var row = Row(.renamed, renamed, after: policy)
      row.window = key.windowText
      rows.append(row)
    }
    let dropped = running.filter { left[$0.key] != nil }.map { Row(.dropped, $0, after: nil) }
    return (rows + dropped).sorted {
      ($0.key.scope.rawValue, $0.key.name, $0.key.windowText)
        < ($1.key.scope.rawValue, $1.key.name, $1.key.windowText)
    }
  }
}

extension ConfigComparison {
  /// Two tables and a last line that sums up.
  func lines(columns: Int?) -> [String] {
    var lines = ["Against \(server.printable), a reload would do this:", ""]
    if rows.isEmpty { lines = ["Against \(server.printable), a reload would change no budget"] }
    if !rows.isEmpty {
      lines += PlainTable.lines(
        ["CHANGE", "BUDGET", "NOW", "THEN", "SPENT", ""], rows.map(Self.cells), columns: columns)
    }
    if !overrides.isEmpty {
      lines += [""]
      lines += PlainTable.lines(
        ["OPERATORS' CHANGE", "", "UNTIL", "AFTER A RELOAD"],
        overrides.map { change, isInForce in
          [
            ChangeText.target(change.target), ChangeText.setting(change),
            change.untilUnixMilliseconds.flatMap { Timestamp(showable: $0) }?.iso8601 ?? "cleared",
            isInForce ? "holds" : "has no budget any more; kept 35 days",
          ]
        }, columns: columns)
    }
    return lines
  }

  private static func cells(_ row: Row) -> [String] {
    let target = BudgetTarget(row.key.scope, row.key.name, window: row.key.windowText)
    var note = row.denies ? "denies at once" : ""
    if let names = row.names { note = names == 1 ? "1 name has one" : "\(names) names have one" }
    if let calendar = row.newCalendar {
      note = "windows from the next one on \(calendar)\(note.isEmpty ? "" : "; " + note)"
    }
    if let window = row.window { note = "then per \(window)\(note.isEmpty ? "" : "; " + note)" }
    if row.kind == .dropped, row.spend != nil { note = "its spend is kept while its window lasts" }
    return [
      row.kind.rawValue, ChangeText.target(target), row.before.map(words) ?? "",
      row.after.map(words) ?? "", row.spend.map { HumanText.money($0) } ?? "", note,
    ]
  }

  /// `$5.00`, `$5.00, shadow`, `unlimited`.
  private static func words(_ policy: Policy) -> String {
    let limit = policy.limit.map { HumanText.money($0) } ?? "unlimited"
    guard let mode = policy.mode, mode != .enforce else { return limit }
    return "\(limit), \(mode)"
  }

  /// The same for machines.
  var json: JSONValue {
    .object([
      ("server", .string(server)),
      (
        "changes",
        .array(
          rows.map { row in
            .object([
              ("change", .string(row.kind.rawValue)),
              ("scope", .string(row.key.scope.description)), ("name", .string(row.key.name)),
              ("time_period", .string(row.key.windowText)),
              ("new_time_period", row.window.map(JSONValue.string) ?? .null),
              ("new_calendar", row.newCalendar.map(JSONValue.string) ?? .null),
              ("before", row.before.map(Self.json) ?? .null),
              ("after", row.after.map(Self.json) ?? .null),
              ("spend_usd", .optional(row.spend)),
              ("names", row.names.map { .integer(Int(clamping: $0)) } ?? .null),
              ("denies", .bool(row.denies)),
            ])
          })
      ),
      (
        "overrides",
        .array(
          overrides.map { change, isInForce in
            .object([
              ("scope", change.target.scope.map { .string($0.description) } ?? .null),
              ("name", .string(change.target.name)),
              ("time_period", .string(change.target.window)),
              ("setting", .string(ChangeText.setting(change))),
              ("until", .instant(change.untilUnixMilliseconds)), ("holds", .bool(isInForce)),
            ])
          })
      ),
    ])
  }

  private static func json(_ policy: Policy) -> JSONValue {
    .object([
      ("limit_usd", .optional(policy.limit)),
      ("mode", policy.mode.map { .string($0.description) } ?? .null),
    ])
  }
}
