public import BudgetModel
import Locks

extension ChargedSlots {
  /// Adds the budgets that patterns give the name, and makes those that are not there. A budget that
  /// finds no place is its pattern's own, which counts for all such names.
  ///
  /// It is stale if a budget is to be made and `catalog` is no longer in force.
  public mutating func add(
    _ scoped: ScopedName, in catalog: BudgetCatalog, of engine: BudgetEngine, at now: Timestamp
  ) {
    let (scope, name) = (scoped.scope, scoped.name)
    guard let group = catalog.patterns.group(scope, of: name), name.fault == nil else { return }
    dependsOnPatterns = true
    let entries = catalog.rules(from: catalog.firstSlot(scope, name) ?? Slot.none)
    if entries.isEmpty {
      var found = 0
      catalog.dynamic.forEach(scope, name) { row in
        guard let pattern = catalog.patterns.pattern(of: row.window, in: group) else { return }
        addDynamic(DynamicPlace(slot: row.slot, life: row.life, pattern: pattern))
        found += 1
      }
      if found == group.count { return }
    }
    for place in group where !isStale {
      let number = Int(catalog.patterns.members[place])
      let rule = catalog.patterns.definitions[number].rule
      if entries.contains(where: { $0.isLike(rule) }) { continue }
      let making = DynamicMaking(
        pattern: number, scope: scope, catalog: catalog, shards: engine.shards, now: now)
      add(making, name, of: engine)
    }
  }

  /// Adds those of the provider and the public model name of `names`.
  public mutating func add(
    namesOf names: CandidateNames, in catalog: BudgetCatalog, of engine: BudgetEngine,
    at now: Timestamp
  ) {
    catalog.withBudgetedNames(names) { provider, model in
      add(ScopedName(.provider, provider), in: catalog, of: engine, at: now)
      add(ScopedName(.model, model), in: catalog, of: engine, at: now)
    }
  }

  /// Adds the budget that one pattern gives the name.
  private mutating func add(
    _ making: DynamicMaking, _ name: NameBytes, of engine: BudgetEngine
  ) {
    let pattern = Int32(making.pattern)
    if let row = making.catalog.dynamic.budget(making.scope, name, window: making.window) {
      return addDynamic(DynamicPlace(slot: row.slot, life: row.life, pattern: pattern))
    }
    let made = engine.installed.withLock { installed -> DynamicMaking.Made in
      guard installed.catalog.generation == making.catalog.generation else { return .stale }
      return installed.make(making, name)
    }
    switch made {
    case .budget(let slot, let life):
      addDynamic(DynamicPlace(slot: slot, life: life, pattern: pattern))
    case .noRoom:
      let overflow = making.catalog.patterns.overflows[making.pattern]
      making.catalog.dynamic.countOverflow(overflow)
      addDynamic(DynamicPlace(slot: overflow, life: 0, pattern: pattern))
    case .stale: isStale = true
    }
  }
}
