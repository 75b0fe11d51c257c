import BudgetModel

/// Takes up the windows of an earlier life under the first configuration.
extension InstalledCatalog {
  /// Hands out the slots of all windows but those of budgets that names have from patterns alone, and
  /// gives these: `makeRestored` makes them once the patterns can be looked up. There may be a
  /// million, which the registry would have to learn and to forget again.
  mutating func restore(
    under configuration: BudgetConfiguration, _ shards: BudgetShards, at now: Timestamp
  ) -> [BudgetWindowState] {
    let windows = restored
    restored = []
    shards.reserve(slots: Int(registry.slotCount) + windows.count)
    let split = PatternWindows(configuration)
    var given: [BudgetWindowState] = []
    for window in windows {
      if given.count < catalog.dynamic.bound, split.contains(window, at: now) {
        given.append(window)
      } else {
        restore(window, shards)
      }
    }
    return given
  }

  private mutating func restore(_ window: BudgetWindowState, _ shards: BudgetShards) {
    guard let rule = try? WindowRule(text: window.key.windowText) else { return }
    let slot = registry.restore(window.key, rule)
    shards.append(slot: slot, SlotState(rule: rule, restoring: window))
  }

  /// The windows are those of dynamic budgets from now on.
  mutating func makeRestored(
    _ windows: [BudgetWindowState], under after: BudgetCatalog, _ shards: BudgetShards
  ) {
    for window in windows {
      let key = window.key
      let number = registry.window(of: key)
      let isMade = NameBytes.with(key.name) { name in
        guard let pattern = after.pattern(giving: key.scope, name, window: number) else {
          return false
        }
        let rule = after.patterns.definitions[pattern].rule
        var state = SlotState(rule: rule, restoring: window)
        let slot = registry.lend().slot
        let row = DynamicKey(scope: key.scope, window: number, slot: slot, life: state.life)
        after.dynamic.insert(row, name) { home in
          state.becomeDynamic(home: home, rule: rule, at: window.start)
          shards.append(slot: slot, state)
        }
        return true
      }
      // A longer pattern gives the name one with windows that are like these.
      if !isMade { restore(window, shards) }
    }
  }
}

extension SlotState {
  fileprivate init(rule: WindowRule, restoring window: BudgetWindowState) {
    self.init(
      rule: rule, window: Window(start: window.start, end: window.end), spend: window.spend,
      others: window.others)
  }
}

/// Tells the windows of budgets that names have from patterns alone.
private struct PatternWindows {
  private let patterns: [BudgetPattern]
  /// Names with entries: one of these may take such a budget over.
  private let owners: Set<BudgetKey>

  init(_ configuration: BudgetConfiguration) {
    patterns = configuration.patterns
    owners = patterns.isEmpty ? [] : Set(configuration.budgets.map { Self.owner($0.key) })
  }

  private static func owner(_ key: BudgetKey) -> BudgetKey {
    BudgetKey(scope: key.scope, name: key.name, windowText: "")
  }

  func contains(_ window: BudgetWindowState, at now: Timestamp) -> Bool {
    let key = window.key
    let isGiven = patterns.contains {
      $0.key.scope == key.scope && $0.matches(key.name)
        && ExactText($0.key.windowText) == ExactText(key.windowText)
    }
    return isGiven && window.end >= now && !owners.contains(Self.owner(key))
  }
}
