import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

/// A change that somebody wants, as far as its form is right.
struct ChangeOrder: Sendable {
  /// The thing that is to be done.
  enum Deed: Equatable, Sendable {
    case limit(PicoUSD?)
    case mode(BudgetMode)
    case clear
    case reset(to: PicoUSD)
  }

  let scope: BudgetScope
  let name: String
  /// Empty: none is given.
  let window: String
  var deed: Deed
  let reason: String
  let author: ChangeAuthor
  var until: Timestamp?
  /// The version that is to be in force, empty for none; nil: whatever is.
  var ifVersion: String?

  /// Checks what every order has.
  init(
    _ target: NamedTarget, _ deed: Deed, reason: NameBytes, by author: ChangeAuthor
  ) throws(ServiceRefusal) {
    guard let scope = target.scope else {
      throw ServiceRefusal(
        .invalidArgument,
        "scope: give the budget's, \(BudgetScope.inOrder.map(\.description).joined(separator: ", "))"
      )
    }
    try ServiceRefusal.check(target.name, field: "name")
    try ServiceRefusal.check(target.window, field: "window")
    try Self.check(reason)
    let key = BudgetKey(scope: scope, name: target.name.text, windowText: target.window.text)
    try self.init(checked: key, deed, reason: reason.text, by: author)
  }

  /// The same of an order in texts.
  init(
    _ target: BudgetKey, _ deed: Deed, reason: String, by author: ChangeAuthor
  ) throws(ServiceRefusal) {
    try ServiceRefusal.check(target.name, field: "name")
    try ServiceRefusal.check(target.windowText, field: "window")
    let fault = NameBytes.with(reason) { bytes in
      Result { () throws(ServiceRefusal) in try Self.check(bytes) }
    }
    try fault.get()
    try self.init(checked: target, deed, reason: reason, by: author)
  }

  private static func check(_ reason: NameBytes) throws(ServiceRefusal) {
    guard reason.count <= BudgetChange.longestReason, reason.isPlainText else {
      throw ServiceRefusal(
        .invalidArgument,
        "reason of \(reason.count) bytes: give at most \(BudgetChange.longestReason) bytes of UTF-8 "
          + "without control characters")
    }
  }

  private init(
    checked target: BudgetKey, _ deed: Deed, reason: String, by author: ChangeAuthor
  ) throws(ServiceRefusal) {
    scope = target.scope
    guard !target.name.isEmpty || scope == .total else {
      throw ServiceRefusal(.invalidArgument, "name: give the name of the \(scope)")
    }
    if scope == .total, !target.name.isEmpty, target.name != BudgetKey.totalName {
      throw ServiceRefusal(
        .notFound, "the total is named '\(BudgetKey.totalName)': give that name, or none")
    }
    name = scope == .total ? BudgetKey.totalName : target.name
    window = target.windowText
    self.deed = deed
    self.reason = reason
    self.author = author
  }

  /// The name with all its budgets.
  var nameKey: BudgetKey { BudgetKey(scope: scope, name: name, windowText: "") }

  /// `provider 'openai'`, or `the total`.
  var words: String { scope == .total ? "the total" : "\(scope) '\(name)'" }

  /// Whether its name has a budget with a window.
  func hasBudget(in engine: BudgetEngine, at now: Timestamp) -> Bool {
    BudgetsOfName(nameKey, in: engine, at: now).entries.contains { !$0.key.windowText.isEmpty }
  }

  /// Refuses the alias of a model group: what is asked for by it counts as the group, so that nothing
  /// would ever come of a change of the alias.
  func refuseAlias(in catalog: BudgetCatalog) throws(ServiceRefusal) {
    guard scope == .model, let group = catalog.modelGroup(ofAlias: name) else { return }
    throw ServiceRefusal(
      .invalidArgument,
      "name: \(words) is an alias, and what is asked for by it counts as its model group: give "
        + "'\(group)'")
  }

  /// The action as the audit calls it.
  var action: AuditLog.Action {
    switch deed {
    case .limit, .mode: .setBudget
    case .clear: .clearBudget
    case .reset: .resetBudget
    }
  }
}

/// The budgets that a name has, with the policies in force; of a pattern's name the pattern's.
struct BudgetsOfName {
  struct Entry {
    var key: BudgetKey
    var limit: PicoUSD?
    var mode: BudgetMode
  }

  let entries: [Entry]

  init(_ name: BudgetKey, in engine: BudgetEngine, at now: Timestamp) {
    let catalog = engine.catalog
    let patterns = catalog.patternsInForce.filter {
      $0.key.scope == name.scope && ExactText($0.key.name) == ExactText(name.name)
    }
    if !patterns.isEmpty {
      entries = patterns.map { Entry(key: $0.key, limit: $0.policy.limit, mode: $0.policy.mode) }
      return
    }
    entries = NameBytes.with(name.name) { bytes in
      let own = catalog.budgets(name.scope, bytes).map { budget in
        let definition = budget.definition
        return Entry(
          key: definition.key, limit: definition.limit, mode: definition.policy.mode)
      }
      let given = DynamicReading(of: engine, in: catalog, at: now)
        .verdicts(name.scope, bytes, estimate: .zero)
      return own
        + given.map { Entry(key: $0.verdict.key, limit: $0.verdict.limit, mode: $0.mode) }
    }
  }

  /// The limits in force of these budgets, for the history.
  static func limits(
    of targets: [BudgetKey], in engine: BudgetEngine, at now: Timestamp
  ) -> [NotedLimit] {
    targets.flatMap { target in
      let name = BudgetKey(scope: target.scope, name: target.name, windowText: "")
      return BudgetsOfName(name, in: engine, at: now).entries.filter { $0.key == target }
    }.map { NotedLimit($0.key, $0.limit) }
  }

  /// The mode of all of them, in words.
  var modeWords: String {
    let modes = Set(entries.map(\.mode)).map(\.description).sorted()
    return modes.isEmpty ? "no budget" : modes.joined(separator: ", ")
  }

  /// The budget that an order names; where the name has several the order has to say which.
  func entry(for order: ChangeOrder) throws(ServiceRefusal) -> Entry {
    // A name that is only frozen has no window, and no limit that could be set.
    let entries = entries.filter { !$0.key.windowText.isEmpty }
    let windows = entries.map(\.key.windowText).joined(separator: ", ")
    if entries.isEmpty {
      throw ServiceRefusal(
        .notFound,
        "\(order.words) has no budget in the configuration: look at the names with "
          + "GetProviderBudgets")
    }
    if order.window.isEmpty {
      guard entries.count == 1 else {
        throw ServiceRefusal(
          .invalidArgument,
          "window: \(order.words) has budgets per \(windows): give one of these")
      }
      return entries[0]
    }
    guard
      let entry = entries.first(where: {
        ExactText($0.key.windowText) == ExactText(order.window)
      })
    else {
      throw ServiceRefusal(
        .notFound,
        "\(order.words) has no budget per '\(order.window)': it has budgets per \(windows)")
    }
    return entry
  }
}

extension BudgetCatalog {
  /// The model group that the name is an alias of; nil: it is none.
  func modelGroup(ofAlias name: String) -> String? {
    NameBytes.with(name) { bytes in
      let names = CandidateNames(id: .absent, modelName: bytes, model: .absent, provider: .absent)
      let group = budgetedModel(of: names)
      return ExactText(group) == ExactText(name) ? nil : group
    }
  }
}

extension BudgetChange.Setting {
  /// In words, for the audit: `limit 150`, `no limit`, `freeze`.
  var words: String {
    switch self {
    case .limit(let limit): limit.map { "limit \($0.exactText)" } ?? "no limit"
    case .mode(let mode): mode.description
    case .reset(let amount): "reset to \(amount.exactText)"
    case .cleared: "as configured"
    }
  }
}

extension BudgetOverride {
  /// A change as it goes over the wire.
  init(_ change: BudgetChange) {
    let target = change.register.target
    self.init(BudgetTarget(target.scope, target.name, window: target.windowText))
    switch change.setting {
    case .limit(let limit):
      limitUSD = limit?.dollars
      hasNoLimit = limit == nil
    case .mode(let mode): self.mode = mode
    case .reset(let amount): resetToUSD = amount.dollars
    case .cleared: isCleared = true
    }
    untilUnixMilliseconds = change.until?.unixMilliseconds
    reason = change.reason
    author = change.author.name
    place = change.author.place
    madeAtUnixMilliseconds = change.madeAt.unixMilliseconds
    version = change.version.description
  }
}
