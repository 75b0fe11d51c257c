import BudgetModel

/// The windows that each name has, of whatever section: a name has each unit and length once.
struct BudgetIdentities {
  /// One window of a name, and where it stands.
  struct Identity {
    var key: BudgetKey
    var rule: WindowRule
    var line: Int
    var path: String
  }

  /// Whose budgets they are.
  struct Name: Hashable {
    var scope: BudgetScope
    var text: ExactText

    init(_ key: BudgetKey) {
      scope = key.scope
      text = ExactText(key.name)
    }
  }

  private var windows: [Name: [Identity]] = [:]
  private var scopes: Set<BudgetScope> = []

  /// Whether any name of the scope is known.
  func has(_ scope: BudgetScope) -> Bool { scopes.contains(scope) }

  /// The windows that a name has.
  func windows(of name: Name) -> [Identity] { windows[name, default: []] }

  /// Adds a window of a name; where the name has one like it already: that one, and nothing is added.
  mutating func add(_ identity: Identity) -> Identity? {
    let name = Name(identity.key)
    if let clash = windows[name]?.first(where: { $0.rule.isLike(identity.rule) }) { return clash }
    windows[name, default: []].append(identity)
    scopes.insert(name.scope)
    return nil
  }
}

extension BudgetKey {
  /// Whose budget it is, in words: `the provider 'openai'`, `the total`.
  var nameInWords: String {
    scope == .total ? "the total" : "the \(scope) '\(name.printable(upTo: 80))'"
  }
}
