import BudgetModel

/// The changes of policy that are in force, by what they change; and the slots of frozen names.
struct InstalledChanges {
  private var changes: [BudgetChange.Register: BudgetChange] = [:]
  /// A slot for each name that was frozen without a budget, kept for when it is again: a request may
  /// still go by a catalog that has it.
  private var frozenSlots: [BudgetKey: Int32] = [:]

  var isEmpty: Bool { changes.isEmpty }

  /// Every name that has a change in force, with an empty window.
  var names: Set<BudgetKey> { Set(changes.keys.map { Self.name($0.target) }) }

  static func name(_ key: BudgetKey) -> BudgetKey {
    BudgetKey(scope: key.scope, name: key.name, windowText: "")
  }

  mutating func set(_ register: BudgetChange.Register, _ change: BudgetChange?) {
    changes[register] = change
  }

  /// The changes in force of a budget: of its limit, and of its name's mode.
  func policy(of key: BudgetKey) -> ChangedPolicy? {
    ChangedPolicy(limit: changes[.init(.limit, key)], mode: mode(of: Self.name(key)))
  }

  /// The change of a name's mode.
  func mode(of name: BudgetKey) -> BudgetChange? { changes[.init(.mode, name)] }

  /// Whether the name is frozen.
  func isFrozen(_ name: BudgetKey) -> Bool { mode(of: name)?.setting == .mode(.freeze) }

  /// The slot of a name that is, or was, frozen without a budget.
  subscript(frozen name: BudgetKey) -> Int32? {
    get { frozenSlots[name] }
    set { frozenSlots[name] = newValue }
  }
}

/// The changes in force as a catalog has them.
struct ChangesInForce {
  var slots: [Int32: ChangedPolicy] = [:]
  var patterns: [Int: ChangedPolicy] = [:]
  var frozen = FrozenNames()

  init() {}

  init(_ catalog: BudgetCatalog) {
    slots = catalog.policies.changed
    patterns = catalog.patterns.changed
    frozen = catalog.frozen
  }
}

extension InstalledCatalog {
  /// The catalog of a new configuration with all changes in force over it.
  mutating func changed(
    _ after: BudgetCatalog, _ shards: BudgetShards, at now: Timestamp
  ) -> BudgetCatalog {
    // Those that still have a change are pinned again.
    for slot in catalog.policies.changed.keys { shards.update(slot) { $0.isPinned = false } }
    if changes.isEmpty { return after }
    var inForce = ChangesInForce()
    for name in changes.names { settle(name, in: after, &inForce, shards, at: now) }
    return BudgetCatalog(after, inForce, tables: tables(of: after, shards, after.edition))
  }

  /// Puts a change in force, or takes one out; the catalog that says so. Touches the slots of one
  /// name.
  mutating func change(
    _ register: BudgetChange.Register, to change: BudgetChange?, _ shards: BudgetShards,
    at now: Timestamp
  ) -> BudgetCatalog {
    changes.set(register, change)
    var inForce = ChangesInForce(catalog)
    settle(InstalledChanges.name(register.target), in: catalog, &inForce, shards, at: now)
    return BudgetCatalog(
      catalog, inForce, tables: tables(of: catalog, shards, catalog.edition + 1))
  }

  private func tables(
    of catalog: BudgetCatalog, _ shards: BudgetShards, _ edition: UInt64
  ) -> BudgetCatalog.Tables {
    BudgetCatalog.Tables(gates: shards.gates, dynamic: catalog.dynamic, edition: edition)
  }

  /// Puts the policies of one name's budgets in force.
  private mutating func settle(
    _ name: BudgetKey, in catalog: BudgetCatalog, _ inForce: inout ChangesInForce,
    _ shards: BudgetShards, at now: Timestamp
  ) {
    let patterns = catalog.patterns
    let own = patterns.configured.indices.filter {
      InstalledChanges.name(patterns.configured[$0].key) == name
    }
    // The pattern's own row only counts: its policy is its names'.
    if !own.isEmpty {
      for number in own {
        inForce.patterns[number] = changes.policy(of: patterns.configured[number].key)
      }
      return
    }
    var hasBudget = false
    NameBytes.with(name.name) { bytes in
      for budget in catalog.budgets(name.scope, bytes) {
        hasBudget = true
        let key = budget.definition.key
        let changed = changes.policy(of: key)
        inForce.slots[budget.slot] = changed
        let policy = changed?.over(budget.configured) ?? budget.configured
        shards.update(budget.slot) { state in
          state.follow(limit: policy.limit ?? BudgetCatalog.unlimited, policy.mode)
        }
      }
      guard bytes.fault == nil, let group = patterns.group(name.scope, of: bytes) else { return }
      for place in group {
        let number = Int(patterns.members[place])
        let window = patterns.windows[number]
        guard catalog.pattern(giving: name.scope, bytes, window: window) == number else {
          continue
        }
        hasBudget = true
        let key = BudgetKey(
          scope: name.scope, name: name.name,
          windowText: patterns.configured[number].key.windowText)
        var making = DynamicMaking(
          pattern: number, scope: name.scope, catalog: catalog, shards: shards, now: now)
        making.isForced = true
        settle(making, bytes, changes.policy(of: key), &inForce)
      }
    }
    settleFrozen(name, hasBudget: hasBudget, &inForce, shards)
  }

  /// A budget that a name has by a pattern is made, and stays, while its policy is changed.
  private mutating func settle(
    _ making: DynamicMaking, _ name: NameBytes, _ changed: ChangedPolicy?,
    _ inForce: inout ChangesInForce
  ) {
    let dynamic = making.catalog.dynamic
    guard changed != nil else {
      guard let row = dynamic.budget(making.scope, name, window: making.window) else { return }
      inForce.slots[row.slot] = nil
      return making.shards.update(row.slot) { $0.isPinned = false }
    }
    guard case .budget(let slot, _) = make(making, name) else { return }
    inForce.slots[slot] = changed
    making.shards.update(slot) { $0.isPinned = true }
  }

  private mutating func settleFrozen(
    _ name: BudgetKey, hasBudget: Bool, _ inForce: inout ChangesInForce, _ shards: BudgetShards
  ) {
    guard !hasBudget, changes.isFrozen(name) else {
      guard let slot = changes[frozen: name] else { return }
      inForce.slots[slot] = nil
      inForce.frozen.set(slot, name, isFrozen: false)
      return
    }
    let slot = changes[frozen: name] ?? lendFrozen(shards)
    changes[frozen: name] = slot
    inForce.slots[slot] = changes.policy(of: name)
    inForce.frozen.set(slot, name, isFrozen: true)
  }

  /// A slot that is asked and never charged, and that nobody else gets.
  private mutating func lendFrozen(_ shards: BudgetShards) -> Int32 {
    let rule = WindowRule.rolling(.seconds(1))
    let (slot, isNew) = registry.lend()
    if isNew { shards.append(slot: slot, rule: rule) } else { shards.reset(slot: slot, rule: rule) }
    shards.update(slot) { $0.follow(limit: BudgetCatalog.unlimited, .freeze) }
    return slot
  }
}
