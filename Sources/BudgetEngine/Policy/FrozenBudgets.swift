import BudgetModel

extension CatalogBudget {
  /// The places of names that are frozen and have no budget, scope by scope, each scope's by name: they
  /// deny, and nothing else tells of them. Their window is empty.
  public static func frozenNames(in catalog: BudgetCatalog) -> [CatalogBudget] {
    let frozen = catalog.frozen
    if frozen.isEmpty { return [] }
    let found = frozen.keys.keys.compactMap { slot in
      frozen.definition(of: slot).map { definition in
        CatalogBudget(
          slot: slot, definition: definition, configured: BudgetPolicy(limit: nil),
          changed: catalog.policies.changed[slot])
      }
    }
    return BudgetScope.inOrder.flatMap { scope in
      found.filter { $0.definition.key.scope == scope }
        .sorted { $0.definition.key.name < $1.definition.key.name }
    }
  }
}
