public import BudgetModel
import Locks

extension BudgetEngine {
  /// The parts of `budget` at one instant.
  public func use(of budget: CatalogBudget, at now: Timestamp) -> BudgetUse {
    shards.use(of: budget.slot, at: now)
  }

  /// The same of a budget that a name has from a pattern; nil: it has none by now.
  public func use(ofDynamic key: BudgetKey, at now: Timestamp) -> BudgetUse? {
    // Under the lock: it could be given back in between, and its slot handed out again.
    installed.withLock { installed in
      installed.slot(of: key).map { shards.use(of: $0, at: now) }
    }
  }

  /// Changes what the fleet says of `budget`, after a look at its parts at the same instant: nothing
  /// is reserved or recorded there in between.
  public func changeClaims(
    of budget: CatalogBudget, at now: Timestamp, _ change: (BudgetUse, inout SlotClaims) -> Void
  ) {
    shards.changeClaims(of: budget.slot, at: now, change)
  }

  /// The same of a budget that a name has from a pattern; false: it has none by now.
  @discardableResult
  public func changeClaims(
    ofDynamic key: BudgetKey, at now: Timestamp, _ change: (BudgetUse, inout SlotClaims) -> Void
  ) -> Bool {
    installed.withLock { installed in
      guard let slot = installed.slot(of: key) else { return false }
      let limit = installed.limit(ofDynamic: key, slot)
      shards.changeClaims(of: slot, at: now) { use, claims in
        var use = use
        use.limit = limit
        change(use, &claims)
      }
      return true
    }
  }

  /// The key of a budget that lacks room; nil: it is gone.
  public func key(of lacking: LackingRoom) -> BudgetKey? {
    installed.withLock { installed in
      let state = shards.state(of: lacking.slot)
      if lacking.life != 0, state.life != lacking.life { return nil }
      return installed.key(of: lacking.slot, state)
    }
  }

  /// The budgets in which something is kept back, or may be in the window that is open at `now` without
  /// asking the fleet.
  public func budgetsInUse(at now: Timestamp) -> [BudgetKey] {
    let used = shards.slotsInUse(at: now)
    if used.isEmpty { return [] }
    return installed.withLock { installed in
      used.compactMap { slot, life in
        let state = shards.state(of: slot)
        return state.life == life ? installed.key(of: slot, state) : nil
      }
    }
  }

  /// The budgets whose holds have changed since they were taken, `most` at most, with all that is kept
  /// back in them: to be written down, so that the next life of the node goes on counting it. Nothing,
  /// unless the settings say that somebody does so.
  public func takeChangedHolds(atMost most: Int) -> [HeldBudget] {
    installed.withLock { installed in
      var changed: [HeldBudget] = []
      shards.takeChanged(atMost: most) { slot, state, sums in
        changed.append(HeldBudget(key: installed.key(of: slot, state), sums: sums))
      }
      return changed
    }
  }

  /// Takes over what an earlier life of the node kept back; a budget that no entry and no pattern
  /// gives any more is passed over. To be called once, under the first configuration.
  public func inherit(_ budgets: [HeldBudget], at now: Timestamp) {
    var ends: [Reservations.InheritedEnd] = []
    installed.withLock { installed in
      for budget in budgets {
        let sums = budget.sums.filter { !$0.hasEnded(at: now) && $0.amount > .zero }
        guard !sums.isEmpty else { continue }
        let own = installed.slot(inheriting: budget.key, shards, at: now)
        guard let slot = own ?? installed.successor(of: budget.key, beside: budgets) else {
          continue
        }
        shards.inherit(sums, in: slot)
        for sum in sums {
          ends.append(Reservations.InheritedEnd(endsSeconds: sum.endsSeconds, slot: slot))
        }
      }
    }
    reservations.noteInherited(ends)
  }
}

extension InstalledCatalog {
  /// The limit in force of the budget that a name has from a pattern; nil: none denies.
  fileprivate func limit(ofDynamic key: BudgetKey, _ slot: Int32) -> PicoUSD? {
    guard let window = registry.keys.knownWindow(text: key.windowText) else { return nil }
    let pattern = NameBytes.with(key.name) {
      catalog.pattern(giving: key.scope, $0, window: window)
    }
    guard let pattern else { return nil }
    let (limit, mode) = catalog.policies.inForce(
      ofDynamic: slot, under: catalog.patterns.policy(Int(pattern)))
    return mode == .enforce && limit != BudgetCatalog.unlimited ? limit : nil
  }

  /// The slot of the budget that has taken the place of the one that went by `key`: the configuration
  /// gives the name a window of another length now, and what is kept back may be spent there. Nil where
  /// a window of the name has stayed: that one has its own part of the same reservations.
  fileprivate func successor(of key: BudgetKey, beside budgets: [HeldBudget]) -> Int32? {
    let hasOther = budgets.contains {
      $0.key.scope == key.scope && $0.key.name == key.name && slot(of: $0.key) != nil
    }
    if hasOther { return nil }
    let first = NameBytes.with(key.name) { catalog.firstSlot(key.scope, $0) }
    return first == Slot.none ? nil : first
  }

  /// The slot of the budget that goes by `key`; of a name that has none yet from a pattern, a new one:
  /// what is kept back there keeps it.
  fileprivate mutating func slot(
    inheriting key: BudgetKey, _ shards: BudgetShards, at now: Timestamp
  ) -> Int32? {
    if let slot = slot(of: key) { return slot }
    guard let window = registry.keys.knownWindow(text: key.windowText) else { return nil }
    let catalog = catalog
    return NameBytes.with(key.name) { name in
      guard let pattern = catalog.pattern(giving: key.scope, name, window: window) else {
        return nil
      }
      let making = DynamicMaking(
        pattern: pattern, scope: key.scope, catalog: catalog, shards: shards, now: now)
      guard case .budget(let slot, _) = make(making, name) else { return nil }
      return slot
    }
  }
}
