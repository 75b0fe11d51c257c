import BudgetEngine
import BudgetModel
import Documents

/// A change of an operator in a trace: what `budgetctl set`, `raise`, `freeze`, `shadow`, `enforce`,
/// `clear` and `reset` do.
struct ScenarioChange: Equatable {
  /// The thing that is done.
  enum Deed: Equatable {
    case limit(PicoUSD?)
    case raise(by: PicoUSD)
    case mode(BudgetMode)
    case clear
    case reset(to: PicoUSD)
  }

  /// The budget; with an empty window the name's only one, or all of the name's.
  var target: BudgetKey
  var deed: Deed
  /// When the configuration's value holds again; nil: when it is cleared.
  var until: Timestamp?
  var reason = ""

  /// The steps that are changes.
  static let names = ["set", "raise", "freeze", "shadow", "enforce", "clear", "reset"]

  /// Reads a step; a text where it is none that can be made.
  init(_ step: DocumentNode, _ name: String, until: Timestamp?) throws(Fault) {
    let scopeName = step["scope"]?.text ?? ""
    guard let scope = BudgetScope.allCases.first(where: { $0.description == scopeName }) else {
      throw Fault("scope '\(scopeName)': give provider, deployment, model, tag, pool or total")
    }
    let text = scope == .total ? BudgetKey.totalName : step["name"]?.text ?? ""
    guard !text.isEmpty else { throw Fault("a \(name) wants the name of the \(scope)") }
    target = BudgetKey(scope: scope, name: text, windowText: step["window"]?.text ?? "")
    reason = step["reason"]?.text ?? ""
    self.until = until
    switch name {
    case "set":
      guard let limit = step["limit"] else { throw Fault("a set wants a limit: dollars, or null") }
      deed = .limit(limit.isNull ? nil : try Self.amount(limit, "limit"))
    case "raise":
      guard let by = step["by"] else { throw Fault("a raise wants by: dollars") }
      // Less than nothing lowers the limit, as it does on a server.
      let isLess = by.number.map { $0 < 0 } ?? false
      deed = .raise(
        by: isLess ? .zero - (try Self.amount(by, "by", sign: -1)) : try Self.amount(by, "by"))
    case "reset":
      deed = .reset(
        to: try step["to"].map { node throws(Fault) in try Self.amount(node, "to") } ?? .zero)
    case "clear": deed = .clear
    default:
      guard let mode = BudgetMode.allCases.first(where: { $0.description == name }) else {
        throw Fault("'\(name)' is no mode")
      }
      deed = .mode(mode)
    }
    if case .mode = deed { target.windowText = "" }
  }

  /// Why a step is no change.
  struct Fault: Error {
    let text: String

    init(_ text: String) { self.text = text }
  }

  private static func amount(
    _ node: DocumentNode, _ name: String, sign: Double = 1
  ) throws(Fault) -> PicoUSD {
    guard let dollars = node.number,
      let amount = try? PicoUSD(dollars: sign * dollars, atMost: .maximumRecord)
    else { throw Fault("\(name) is not an amount of dollars") }
    return amount
  }
}

/// The changes in force while a scenario is played.
struct ChangesPlayed {
  private let engine: BudgetEngine
  private var table = ChangeTable()
  private var lookedAt: Timestamp
  /// How often a limit or mode was changed, or a change ended: what was read before is out of date.
  private(set) var edition = 0

  init(_ engine: BudgetEngine, at now: Timestamp) {
    self.engine = engine
    lookedAt = now
  }

  private static let author = ChangeAuthor(name: "trace", place: "")

  /// Ends the changes whose time is over.
  mutating func advance(to now: Timestamp) {
    guard table.count > 0, now > lookedAt else { return }
    for change in table.ended(after: lookedAt, by: now) {
      PolicyChanging(of: engine).end(change.register, at: now)
      edition += 1
    }
    lookedAt = now
  }

  /// Makes a change. Gives what is wrong with it; nil: it is in force.
  mutating func make(_ step: ScenarioChange, at now: Timestamp) -> String? {
    if let until = step.until, until <= now { return "until is over: give a time after the step's" }
    switch step.deed {
    case .limit(let limit): return setLimit(step, limit, at: now)
    case .raise(let amount):
      guard let before = budget(of: step, at: now) else { return noBudget(step) }
      guard let limit = before.limit else { return "\(before.key) has no limit to raise" }
      guard limit + amount >= .zero else { return "\(before.key) would have a limit below zero" }
      return setLimit(step, limit + amount, at: now)
    case .mode(let mode):
      // A freeze alone needs no budget.
      guard mode == .freeze || !budgets(of: step, at: now).isEmpty else { return noBudget(step) }
      put(.init(.mode, step.target), .mode(mode), step, at: now)
      return nil
    case .clear:
      for change in table.inForce(at: now) where step.names(change.register.target) {
        put(change.register, .cleared, step, at: now)
      }
      return nil
    case .reset(let amount): return reset(step, to: amount, at: now)
    }
  }

  private mutating func setLimit(
    _ step: ScenarioChange, _ limit: PicoUSD?, at now: Timestamp
  ) -> String? {
    guard let budget = budget(of: step, at: now) else { return noBudget(step) }
    put(.init(.limit, budget.key), .limit(limit), step, at: now)
    return nil
  }

  private func noBudget(_ step: ScenarioChange) -> String {
    "\(step.target.scope) '\(step.target.name)' has no such budget, or several: give its window"
  }

  private mutating func put(
    _ register: BudgetChange.Register, _ setting: BudgetChange.Setting, _ step: ScenarioChange,
    at now: Timestamp
  ) {
    var change = BudgetChange(
      register, setting, reason: step.reason, by: Self.author, at: now,
      version: ChangeVersion(at: now, replacing: table[register]?.version, by: "trace"))
    change.until = step.until
    table.merge(change)
    edition += 1
    let changing = PolicyChanging(of: engine)
    if change.isInForce(at: now) {
      changing.enforce(change, at: now)
    } else {
      changing.end(register, at: now)
    }
  }

  /// The open window ends, and the next one begins with that much spent.
  private func reset(_ step: ScenarioChange, to amount: PicoUSD, at now: Timestamp) -> String? {
    guard let budget = budget(of: step, at: now) else { return noBudget(step) }
    let catalog = engine.catalog
    let found = NameBytes.with(budget.key.name) { name -> (WindowRule, Timestamp?)? in
      if let own = catalog.budgets(budget.key.scope, name).first(where: {
        $0.definition.key == budget.key
      }) {
        return (own.definition.rule, engine.report(on: own, at: now).startedAt)
      }
      let reading = DynamicReading(of: engine, in: catalog, at: now)
      let live = reading.budgets(budget.key.scope, name).first { $0.report.key == budget.key }
      return reading.rule(of: budget.key).map { ($0, live?.report.startedAt) }
    }
    guard let (rule, startedAt) = found else { return noBudget(step) }
    let start =
      startedAt.map {
        max(now, Timestamp(unixMilliseconds: $0.unixMilliseconds + 1))
      } ?? now
    engine.adopt(
      BudgetWindowState(
        key: budget.key, start: start, end: rule.window(at: start).end, spend: amount),
      replacing: startedAt.map { [$0] } ?? [], at: now)
    return nil
  }

  private func budget(
    of step: ScenarioChange, at now: Timestamp
  ) -> (key: BudgetKey, limit: PicoUSD?)? {
    let found = budgets(of: step, at: now)
    return found.count == 1 ? found[0] : nil
  }

  private func budgets(
    of step: ScenarioChange, at now: Timestamp
  ) -> [(key: BudgetKey, limit: PicoUSD?)] {
    let (target, catalog) = (step.target, engine.catalog)
    let patterns = catalog.patternsInForce.filter {
      $0.key.scope == target.scope && ExactText($0.key.name) == ExactText(target.name)
    }.map { (key: $0.key, limit: $0.policy.limit) }
    let named = NameBytes.with(target.name) { name in
      catalog.budgets(target.scope, name).map {
        (key: $0.definition.key, limit: $0.definition.limit)
      }
        + DynamicReading(of: engine, in: catalog, at: now)
        .verdicts(target.scope, name, estimate: .zero).map {
          (key: $0.verdict.key, limit: $0.verdict.limit)
        }
    }
    return (patterns.isEmpty ? named : patterns).filter { step.names($0.key) }
  }
}

extension ScenarioChange {
  /// Whether it is about that budget.
  func names(_ key: BudgetKey) -> Bool {
    key.scope == target.scope && ExactText(key.name) == ExactText(target.name)
      && (target.windowText.isEmpty || ExactText(key.windowText) == ExactText(target.windowText))
  }
}
