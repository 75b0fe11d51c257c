import BudgetModel

/// The configuration in force, and whose the slots are. Behind its engine's lock.
struct InstalledCatalog {
  var registry = SlotRegistry()
  var catalog: BudgetCatalog
  /// The windows of an earlier life of the node, each owner's newest last, until the first configuration.
  var restored: [BudgetWindowState] = []
  /// Those that were in force before and that somebody may still work by.
  var earlier = EarlierCatalogs()
  /// The changes of policy in force, over this configuration and the next ones.
  var changes = InstalledChanges()
  /// The place that the search for dynamic budgets that are over has reached.
  var sweeping = DynamicBudgets.Cursor()

  /// The key of the budget that `slot`, of that state, belongs to. Precondition: the budget cannot be
  /// lost meanwhile.
  func key(of slot: Int32, _ state: SlotState) -> BudgetKey {
    guard state.home != SlotState.noHome else { return registry.keys[slot] }
    let (scope, name, window) = catalog.dynamic.identity(of: state.home)
    return BudgetKey(
      scope: scope, name: name, windowText: registry.keys.text(ofWindow: window))
  }

  /// The slot that goes by `key`; nil where none does.
  func slot(of key: BudgetKey) -> Int32? {
    registry.knownSlot(of: key) ?? catalog.dynamic.slot(of: key, registry.keys)
  }
}
