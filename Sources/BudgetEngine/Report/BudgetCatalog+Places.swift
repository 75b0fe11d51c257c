public import BudgetModel

extension BudgetCatalog {
  /// Whether an entry in force has exactly this key; a pattern's own key too.
  public func hasEntry(_ key: BudgetKey) -> Bool {
    NameBytes.with(key.name) { name in
      budgets(key.scope, name).contains { $0.definition.key == key }
    }
  }

  /// The pattern that gives the key's name a budget of the key's window; nil: none does.
  public func pattern(giving key: BudgetKey) -> BudgetPattern? {
    guard let window = keys.knownWindow(text: key.windowText) else { return nil }
    return NameBytes.with(key.name) { pattern(giving: key.scope, $0, window: window) }
      .map { patterns.definitions[$0] }
  }

  /// The patterns that give the name budgets of its own, the shortest window first.
  public func patterns(giving scope: BudgetScope, _ name: NameBytes) -> [BudgetPattern] {
    guard name.fault == nil, let group = patterns.group(scope, of: name) else { return [] }
    let entries = rules(from: firstSlot(scope, name) ?? Slot.none)
    return group.map { patterns.definitions[Int(patterns.members[$0])] }
      .filter { pattern in !entries.contains { $0.isLike(pattern.rule) } }
  }
}
