import BudgetModel
import JSONWriting

/// The budgets of a config as people and machines read them: what each is, when its next windows begin,
/// and what patterns give names.
struct ConfigBudgets {
  let configuration: BudgetConfiguration
  let now: Timestamp

  /// How many windows to come are shown of each budget.
  private static let nextWindows = 3
  /// Of more names nobody reads what patterns give them.
  private static let maximumGifts = 200

  /// Tables of budgets, next windows and gifts, and a line for each pool and alias.
  func lines(columns: Int?) -> [String] {
    var lines: [String] = []
    if !rows.isEmpty {
      lines += PlainTable.lines(
        ["BUDGET", "NAME", "LIMIT", "WINDOW", "MODE", "BEGINS"], rows.map(\.cells), columns: columns
      )
      lines.append("")
    }
    let calendars = rows.filter { !$0.starts.isEmpty }
    if !calendars.isEmpty {
      lines += PlainTable.lines(
        ["NEXT WINDOWS OF", "", "", ""], calendars.map { [$0.key.description] + $0.starts },
        columns: columns)
      lines.append("")
    }
    let gifts = gifts
    if !gifts.isEmpty {
      lines += PlainTable.lines(
        ["PATTERN", "GIVES", "LIMIT", "WINDOW"],
        gifts.prefix(Self.maximumGifts).map {
          [
            $0.pattern.key.name, "\($0.pattern.key.scope) \($0.name)",
            Self.limit($0.pattern.policy), $0.pattern.key.windowText,
          ]
        }, columns: columns)
      if gifts.count > Self.maximumGifts {
        lines.append("and \(gifts.count - Self.maximumGifts) more")
      }
      lines.append("")
    }
    let others = poolLines + aliasLines + fullLines
    return others.isEmpty ? lines : lines + others.map(\.printable) + [""]
  }

  /// One budget or pattern.
  private struct Row {
    var key: BudgetKey
    var rule: WindowRule
    var policy: BudgetPolicy
    var isPattern: Bool
    /// When the windows to come begin, in the budget's own zone; empty for windows that no calendar has.
    var starts: [String]

    var cells: [String] {
      [
        key.scope.description, key.name + (isPattern ? ", each name" : ""),
        ConfigBudgets.limit(policy), key.windowText, policy.mode.description,
        ConfigBudgets.begins(rule),
      ]
    }
  }

  private var rows: [Row] {
    BudgetScope.inOrder.flatMap { scope in
      configuration.budgets.filter { $0.key.scope == scope }.map {
        row($0.key, $0.rule, $0.policy, isPattern: false)
      }
        + configuration.patterns.filter { $0.key.scope == scope }.map {
          row($0.key, $0.rule, $0.policy, isPattern: true)
        }
    }
  }

  private func row(
    _ key: BudgetKey, _ rule: WindowRule, _ policy: BudgetPolicy, isPattern: Bool
  ) -> Row {
    Row(
      key: key, rule: rule, policy: policy, isPattern: isPattern,
      starts: starts(of: rule).map { Self.local($0, rule) })
  }

  /// When the windows after the open one begin; empty where no calendar says.
  private func starts(of rule: WindowRule) -> [Timestamp] {
    guard var window = rule.standingWindow(at: now) else { return [] }
    return (0..<Self.nextWindows).map { _ in
      window = rule.window(after: window.end)
      return window.start
    }
  }

  private static func limit(_ policy: BudgetPolicy) -> String {
    policy.limit.map { HumanText.money($0) } ?? "unlimited"
  }

  private static let weekdays = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]

  /// When windows of the rule begin, in words.
  private static func begins(_ rule: WindowRule) -> String {
    guard case .calendar(let windows) = rule else { return "with the first charge" }
    let day =
      switch windows.unit {
      case .hour: "each full hour"
      case .day: "each midnight"
      case .week: weekdays[windows.firstDay - 1]
      case .month: "day \(windows.firstDay)"
      case .quarter: "day \(windows.firstDay) of January, April, July, October"
      case .year: "\(windows.firstDay) January"
      }
    return "\(day), \(windows.zone.name)"
  }

  /// `2026-12-01 00:00 +01:00`.
  private static func local(_ instant: Timestamp, _ rule: WindowRule) -> String {
    guard case .calendar(let windows) = rule else { return instant.iso8601 }
    let seconds = instant.unixMilliseconds / 1_000
    let zone = windows.zone
    let offset = Int64(
      zone.transitions.last { $0.at <= seconds }?.offset ?? zone.firstOffset)
    let text = Timestamp(unixMilliseconds: instant.unixMilliseconds + offset * 1_000).iso8601
    let minutes = offset.magnitude / 60
    func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) \(offset < 0 ? "-" : "+")"
      + "\(padded(minutes / 60)):\(padded(minutes % 60))"
  }
}

extension ConfigBudgets {
  /// A budget that a name of the config gets from a pattern.
  private struct Gift {
    var name: String
    var pattern: BudgetPattern
  }

  /// The names of the config that patterns give budgets to: its providers, model groups and tags.
  private var gifts: [Gift] {
    guard !configuration.patterns.isEmpty else { return [] }
    let scopes = Set(configuration.patterns.map(\.key.scope))
    return BudgetScope.inOrder.filter(scopes.contains).flatMap { scope in
      names(of: scope).flatMap { name in
        configuration.patterns(giving: name, scope: scope).map { Gift(name: name, pattern: $0) }
      }
    }
  }

  /// The names of a scope that the config has, in its order.
  private func names(of scope: BudgetScope) -> [String] {
    let budgeted = configuration.budgets.lazy.filter { $0.key.scope == scope }.map(\.key.name)
    var names: [String] = Array(budgeted)
    switch scope {
    case .provider: names = configuration.deployments.compactMap(\.provider) + names
    case .model: names = configuration.deployments.map(\.modelName) + names
    case .deployment, .pool, .tag, .total: break
    }
    var seen: Set<ExactText> = []
    // A wildcard group is no name that is asked for.
    return names.filter { $0.utf8.last != UInt8(ascii: "*") && seen.insert(ExactText($0)).inserted }
  }

  private var poolLines: [String] {
    configuration.pools.map { pool in
      let parts = [
        ("providers", pool.providers), ("models", pool.models), ("deployments", pool.deployments),
      ]
      let members = parts.filter { !$0.1.isEmpty }.map { "\($0) \($1.joined(separator: ", "))" }
      return "Pool \(pool.name): \(members.joined(separator: "; "))"
    }
  }

  private var aliasLines: [String] {
    configuration.aliases.sorted { $0.key < $1.key }.map { "Alias \($0): \($1)" }
  }

  private var fullLines: [String] {
    guard !configuration.patterns.isEmpty else { return [] }
    return [
      "Where no more names fit: "
        + (configuration.dynamicBudgetsFull == .open ? "not denied" : "denied")
    ]
  }
}

extension ConfigBudgets {
  /// The members of a JSON object: budgets, patterns, pools, aliases, and what is told of names that do
  /// not fit.
  var members: [(String, JSONValue)] {
    let rows = rows
    return [
      ("budgets", .array(rows.filter { !$0.isPattern }.map(json))),
      ("patterns", .array(rows.filter(\.isPattern).map(json))),
      (
        "pools",
        .array(
          configuration.pools.map { pool in
            .object([
              ("name", .string(pool.name)),
              ("providers", .array(pool.providers.map(JSONValue.string))),
              ("models", .array(pool.models.map(JSONValue.string))),
              ("deployments", .array(pool.deployments.map(JSONValue.string))),
            ])
          })
      ),
      (
        "given_by_patterns",
        .array(
          gifts.map { gift in
            .object([
              ("scope", .string(gift.pattern.key.scope.description)), ("name", .string(gift.name)),
              ("pattern", .string(gift.pattern.key.name)),
              ("limit_usd", .optional(gift.pattern.policy.limit?.dollars)),
              ("time_period", .string(gift.pattern.key.windowText)),
            ])
          })
      ),
      (
        "aliases",
        .object(
          configuration.aliases.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
      ),
      ("dynamic_budgets_full", .string(configuration.dynamicBudgetsFull.rawValue)),
    ]
  }

  private func json(_ row: Row) -> JSONValue {
    var zone = JSONValue.null
    var firstDay = JSONValue.null
    if case .calendar(let windows) = row.rule {
      zone = .string(windows.zone.name)
      firstDay = .integer(windows.firstDay)
    }
    return .object([
      ("scope", .string(row.key.scope.description)), ("name", .string(row.key.name)),
      ("limit_usd", .optional(row.policy.limit?.dollars)),
      ("time_period", .string(row.key.windowText)), ("mode", .string(row.policy.mode.description)),
      ("time_zone", zone), ("first_day", firstDay),
      (
        "next_windows",
        .array(starts(of: row.rule).map { .instant($0.unixMilliseconds) })
      ),
    ])
  }
}
