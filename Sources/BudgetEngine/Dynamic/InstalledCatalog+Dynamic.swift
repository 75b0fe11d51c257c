import BudgetModel

/// A budget that a pattern is to give a name.
struct DynamicMaking {
  /// The pattern's number in the catalog.
  let pattern: Int
  let scope: BudgetScope
  let catalog: BudgetCatalog
  let shards: BudgetShards
  let now: Timestamp
  /// Whether it is made though no more may be live: an operator has changed its policy.
  var isForced = false

  var definition: BudgetPattern { catalog.patterns.definitions[pattern] }
  var window: Int32 { catalog.patterns.windows[pattern] }

  enum Made {
    case budget(slot: Int32, life: UInt32)
    case noRoom
    case stale
  }

  /// Makes the slot, which the registry has no key for, the name's.
  func put(_ slot: Int32, _ name: NameBytes, wasEntry: Bool) -> Made {
    let life = shards.state(of: slot).life
    let key = DynamicKey(
      scope: scope, window: window, slot: slot, life: life, wasEntry: wasEntry)
    let (rule, limit) = (definition.rule, catalog.patterns.limits[pattern])
    catalog.dynamic.insert(key, name) { [dynamic = catalog.dynamic] home in
      // Read under the table's lock: whoever begins to share sees the row, or is seen here.
      let nodes = dynamic.sharers
      shards.update(slot) { state in
        state.becomeDynamic(home: home, rule: rule, at: now)
        if nodes > 1 { state.share(limit, among: nodes, at: now) }
      }
    }
    return .budget(slot: slot, life: life)
  }
}

extension InstalledCatalog {
  private var dynamic: DynamicBudgets { catalog.dynamic }

  /// Notes others' spend of the dynamic budget that goes by `key`, if there is one.
  func show(
    others: PicoUSD, of key: BudgetKey, inWindowFrom start: Timestamp, _ shards: BudgetShards
  ) {
    guard let slot = dynamic.slot(of: key, registry.keys) else { return }
    shards.update(slot) { $0.show(others: others, inWindowFrom: start) }
  }

  /// So many rows are looked at for room before a name finds none.
  private static let sweptWhenFull = 64

  /// Makes the budget, unless it is there by now.
  mutating func make(
    _ making: DynamicMaking, _ name: NameBytes
  ) -> DynamicMaking.Made {
    if let row = dynamic.budget(making.scope, name, window: making.window) {
      return .budget(slot: row.slot, life: row.life)
    }
    if dynamic.isFull { sweep(making.shards, atMost: Self.sweptWhenFull, at: making.now) }
    if dynamic.isFull, !making.isForced { return .noRoom }
    let pattern = making.definition
    let key = BudgetKey(
      scope: making.scope, name: name.text, windowText: pattern.key.windowText)
    // The budget of an entry that was dropped goes on.
    if let slot = registry.knownSlot(of: key) {
      registry.release([slot])
      return making.put(slot, name, wasEntry: true)
    }
    let (slot, isNew) = registry.lend()
    if isNew {
      making.shards.append(slot: slot, rule: pattern.rule)
    } else {
      making.shards.reset(slot: slot, rule: pattern.rule)
    }
    return making.put(slot, name, wasEntry: false)
  }

  /// Makes the budget that a pattern gives the name of an open window; nil: none does.
  mutating func make(
    _ window: BudgetWindowState, _ shards: BudgetShards, at now: Timestamp
  ) -> Int32? {
    guard window.end >= now else { return nil }
    let number = registry.window(of: window.key)
    return NameBytes.with(window.key.name) { name in
      guard name.fault == nil,
        let pattern = catalog.pattern(giving: window.key.scope, name, window: number)
      else { return nil }
      var making = DynamicMaking(
        pattern: pattern, scope: window.key.scope, catalog: catalog, shards: shards, now: now)
      making.isForced = true
      guard case .budget(let slot, _) = make(making, name) else { return nil }
      return slot
    }
  }

  /// Gives back budgets that are over, among the next rows, `most` at most; says how many.
  @discardableResult
  mutating func sweep(
    _ shards: BudgetShards, atMost most: Int, at now: Timestamp
  ) -> Int {
    var (left, count) = (most, 0)
    // Each table once at most.
    for _ in 0..<DynamicBudgets.tableCount where left > 0 {
      let swept = dynamic.sweep(&sweeping, atMost: left) { row in
        // Under the slot's lock: from here on no record can begin to wait for the budget.
        shards.update(row.slot) { state in
          guard state.life == row.life, state.hasEnded(at: now) else { return false }
          if row.wasEntry {
            state.home = SlotState.noHome
          } else {
            state = state.next(rule: state.rule)
          }
          return true
        }
      }
      for (row, name) in swept.gone { takeBack(row, name, shards) }
      left -= swept.looked
      count += swept.gone.count
    }
    return count
  }

  private mutating func takeBack(
    _ row: DynamicTable.Row, _ name: String, _ shards: BudgetShards
  ) {
    guard row.wasEntry else { return registry.takeBack(row.slot) }
    // Somebody may still have a configuration that names the slot: a reload finds that out.
    let key = BudgetKey(
      scope: row.scope, name: name, windowText: registry.keys.text(ofWindow: row.window))
    registry.enter(row.slot, key, shards.state(of: row.slot).rule, isCurrent: false)
  }

  /// Dynamic budgets that entries of a new configuration name go on as those entries'; gives their
  /// keys. Until the configuration is in force, requests find them as they were.
  mutating func enterDynamic(_ budgets: [BudgetDefinition]) -> [BudgetKey] {
    if dynamic.live == 0 { return [] }
    var entered: [BudgetKey] = []
    for definition in budgets {
      let key = definition.key
      guard let slot = dynamic.slot(of: key, registry.keys) else { continue }
      registry.enter(slot, key, definition.rule, isCurrent: true)
      entered.append(key)
    }
    return entered
  }

  /// The budgets of `keys` are not dynamic any more. Their lives go on: requests that looked
  /// them up before charge them all the same.
  func endDynamic(_ keys: [BudgetKey], _ shards: BudgetShards) {
    for key in keys {
      guard let window = registry.keys.knownWindow(text: key.windowText),
        let row = NameBytes.with(
          key.name, { dynamic.remove(key.scope, $0, window: window) })
      else { continue }
      shards.update(row.slot) { $0.home = SlotState.noHome }
    }
  }

  /// Budgets that no entry names any more, or that an earlier life of the node had, go on as dynamic
  /// ones while their windows last, if a pattern gives them to their names.
  ///
  /// Complexity: linear in the slots.
  mutating func makeDynamic(
    under after: BudgetCatalog, _ shards: BudgetShards, at now: Timestamp
  ) {
    let patterns = after.patterns
    if patterns.isEmpty { return }
    // Before the first configuration nobody can have looked a slot up.
    let wasEntry = catalog.generation > 0
    let keys = registry.keys
    var released: [Int32] = []
    for slot in 0..<registry.slotCount
    where !after.isInForce(slot) && !keys.isFree(slot) && patterns.has(keys.scope(of: slot)) {
      if dynamic.isFull { break }
      let state = shards.state(of: slot)
      guard state.successor == Slot.none, !state.hasEnded(at: now) else { continue }
      let key = DynamicKey(
        scope: keys.scope(of: slot), window: keys.window(of: slot), slot: slot, life: state.life,
        wasEntry: wasEntry)
      keys.names.with(keys.name(of: slot)) { name in
        guard let number = after.pattern(giving: key.scope, name, window: key.window) else {
          return
        }
        let rule = patterns.definitions[number].rule
        dynamic.insert(key, name) { home in
          shards.update(slot) { $0.becomeDynamic(home: home, rule: rule, at: now) }
        }
        released.append(slot)
      }
    }
    registry.release(released)
    // Those of the first one were made just now.
    guard wasEntry, catalog.patterns.definitions.map(\.rule) != patterns.definitions.map(\.rule)
    else { return }
    // The next windows of live budgets begin and end as their patterns say now.
    dynamic.forEachLive { row, name in
      guard let number = after.pattern(giving: row.scope, name, window: row.window) else { return }
      let rule = patterns.definitions[number].rule
      shards.update(row.slot) { if $0.life == row.life { $0.follow(rule) } }
    }
  }
}

extension DynamicBudgets {
  /// Leaves other nodes their parts of what is left of each budget's limit.
  ///
  /// Complexity: linear in the live ones.
  func share(
    among nodes: Int, under catalog: BudgetCatalog, _ shards: BudgetShards, at now: Timestamp
  ) {
    beginSharing(among: nodes)
    forEachLive { row, name in
      guard let pattern = catalog.pattern(giving: row.scope, name, window: row.window) else {
        return
      }
      let limit = catalog.policies.inForce(
        ofDynamic: row.slot, under: catalog.patterns.policy(pattern)
      ).limit
      shards.update(row.slot) { state in
        if state.life == row.life { state.share(limit, among: nodes, at: now) }
      }
    }
  }
}

extension BudgetCatalog {
  /// The pattern that gives the name a budget of that window; nil where none does, or an entry has a
  /// like one.
  func pattern(giving scope: BudgetScope, _ name: NameBytes, window: Int32) -> Int? {
    guard let group = patterns.group(scope, of: name),
      let pattern = patterns.pattern(of: window, in: group)
    else { return nil }
    let entries = rules(from: firstSlot(scope, name) ?? Slot.none)
    let rule = patterns.definitions[Int(pattern)].rule
    return entries.contains { $0.isLike(rule) } ? nil : Int(pattern)
  }
}
