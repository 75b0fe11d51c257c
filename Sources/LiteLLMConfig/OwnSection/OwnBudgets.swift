import BudgetModel
import Documents

/// A name that a budget is for, and where it stands.
struct WrittenName {
  var text: String
  var line: Int
  var path: String
}

/// The contents of the section `budgetd:`.
struct OwnBudgets {
  /// Budgets of names, in the file's order.
  var budgets: [BudgetDefinition] = []
  /// Budgets of patterns, in the file's order.
  var patterns: [BudgetPattern] = []
  /// Pools, in the order in which they are first named.
  var pools: [Pool] = []
  /// The place of each pool among them, by its name.
  var poolPlaces: [ExactText: Int] = [:]
  /// The answer about names whose budgets would be too many.
  var dynamicBudgetsFull = DynamicBudgetsFull.open
  /// When operators are told of budgets; nil: never.
  var alerts: AlertSettings?
  /// The windows of all names that the section has, and of LiteLLM's in the same scopes.
  var identities = BudgetIdentities()
  /// The names without `*` that stand in the section, by scope; members of pools too.
  var names: [BudgetScope: [WrittenName]] = [:]

  /// A pool, and where it stands.
  struct Pool {
    var members: PoolMembers
    /// The entry that names it first.
    var node: DocumentNode
    var path: String
    /// The line of its `of`; nil until there is one.
    var membersLine: Int?
  }

  /// The patterns scope by scope, longest first.
  var sortedPatterns: [BudgetPattern] {
    BudgetScope.inOrder.flatMap { scope in
      patterns.enumerated().filter { $0.element.key.scope == scope }
        .sorted {
          ($1.element.prefix.utf8.count, $0.offset) < ($0.element.prefix.utf8.count, $1.offset)
        }
        .map(\.element)
    }
  }

  /// Compares one of LiteLLM's budgets, which stands in `line`, with the section's: the same window
  /// of one name twice is a problem of the section's.
  mutating func compare(_ budget: BudgetDefinition, line: Int, log: inout ProblemLog) {
    guard identities.has(budget.key.scope) else { return }
    let identity = BudgetIdentities.Identity(
      key: budget.key, rule: budget.rule, line: line, path: "")
    guard let clash = identities.add(identity) else { return }
    log.add(
      line: clash.line, clash.path,
      Self.words(
        clash.key, hasToo: identity, whose: "LiteLLM's budget",
        there: log.lines.words(line, from: clash.line)))
  }

  /// The sentence about a second window of one kind.
  static func words(
    _ key: BudgetKey, hasToo other: BudgetIdentities.Identity, whose: String, there: String
  ) -> String {
    let isSame = ExactText(key.windowText) == ExactText(other.key.windowText)
    return "\(key.nameInWords) has \(whose) per \(other.key.windowText.printable(upTo: 80)) in "
      + there + (isSame ? "" : ", a window as long as \(key.windowText.printable(upTo: 80))")
      + ": keep one, or give them other windows"
  }

  /// Names with more windows than one may have, those that patterns would give them included.
  func refuseTooManyWindows(log: inout ProblemLog) {
    let bound = BudgetDefinition.maximumWindowsPerName
    var kinds: [BudgetScope: [WindowRule]] = [:]
    for pattern in patterns
    where !kinds[pattern.key.scope, default: []].contains(where: { $0.isLike(pattern.rule) }) {
      kinds[pattern.key.scope, default: []].append(pattern.rule)
    }
    var seen: Set<BudgetIdentities.Name> = []
    for key in budgets.map(\.key) + patterns.map(\.key)
    where seen.insert(BudgetIdentities.Name(key)).inserted {
      let windows = identities.windows(of: BudgetIdentities.Name(key))
      // Most names have few, whatever patterns add.
      guard windows.count + kinds[key.scope, default: []].count > bound else { continue }
      var rules = windows
      for pattern in patterns
      where pattern.key.scope == key.scope && pattern.matches(key.name)
        && !rules.contains(where: { $0.rule.isLike(pattern.rule) })
      {
        rules.append(
          BudgetIdentities.Identity(key: pattern.key, rule: pattern.rule, line: 0, path: ""))
      }
      guard rules.count > bound, let last = windows.last(where: { !$0.path.isEmpty }) else {
        continue
      }
      log.add(
        line: last.line, last.path,
        "\(key.nameInWords) has \(rules.count) windows"
          + (rules.count > windows.count ? ", those of shorter patterns among them" : "")
          + ": a name has at most \(bound)")
    }
  }
}
