import BudgetModel

/// Which slot belongs to which budget, over all configurations this process has had.
///
/// A slot belongs to its budget for as long as anything may refer to it, so that a record that was
/// resolved under an old configuration still charges the budget it was meant for. Once nothing can,
/// its engine gives it back, and it is handed out again. Memory: some 25 bytes a slot and the names,
/// which the catalogs share.
struct SlotRegistry {
  /// The key of each slot, as it is now.
  private(set) var keys = SlotKeys()
  /// The slot that each owner had last, also while it is not configured.
  private var latest = OwnerIndex()
  /// For the few owners that have or had several windows: the slot before this one.
  private var earlier: [Int32: Int32] = [:]
  /// Whether each slot's budget was in force when its owner was last heard of.
  private var isCurrent: [Bool] = []

  /// Slots that were given back.
  private var free: [Int32] = []
  /// Bytes of names whose owners are gone.
  private var unusedNameBytes = 0

  /// Fewer unused bytes of names are not worth moving the others.
  private static let unusedNameByteBound = 65_536

  /// How many slots there are, given back or not.
  var slotCount: Int32 { Int32(keys.count) }

  /// A budget's fate in a new configuration.
  enum Outcome {
    /// The budget was known by this key.
    case known(slot: Int32)
    /// The budget is new: the next slot is its own.
    case added(slot: Int32)
    /// The budget was known under another text of the same length: the slot moves to the new key.
    case renamed(slot: Int32, from: BudgetKey)
    /// The owner had a budget of another length before: that one's window is to be closed. `slot`
    /// is the new budget's; `isNew`: it was handed out just now.
    case replaced(slot: Int32, isNew: Bool, old: BudgetKey, oldSlot: Int32)
  }

  /// Makes room for the budgets that are not known yet, and says how many slots more than now they
  /// need: a few more may follow, for owners whose windows have another length now.
  mutating func reserve(for budgets: [BudgetDefinition]) -> Int {
    var count = 0
    var nameBytes = 0
    for budget in budgets {
      let key = budget.key
      let isKnown = NameBytes.with(key.name) { latest.slot(key.scope, $0, keys: keys) != nil }
      if isKnown { continue }
      count += 1
      nameBytes += key.name.utf8.count
    }
    guard count > 0 else { return 0 }
    let more = max(0, count - free.count)
    keys.reserve(more, nameBytes: nameBytes)
    isCurrent.reserveCapacity(isCurrent.count + more)
    latest.reserve(count, keys: keys)
    return more
  }

  /// Gives each budget of a new configuration its slot, and tells `body` of each, in their order.
  /// `ruleOf` tells the rule of a slot.
  ///
  /// An owner's budget that no entry names any more goes on in a new entry of the same length, under
  /// its text; where all lengths are others, it is replaced by one of them. Calendar windows are
  /// known by their text alone.
  mutating func assign(
    _ definitions: [BudgetDefinition], ruleOf: (Int32) -> WindowRule,
    _ body: (BudgetDefinition, Outcome) -> Void
  ) {
    var claims = Claims(slotCount: slotCount)
    let known = definitions.map { definition -> Int32 in
      guard let slot = knownSlot(of: definition.key), isCurrent[Int(slot)] else { return Slot.none }
      claims.add(slot)
      return slot
    }
    for (definition, slot) in zip(definitions, known) {
      if slot == Slot.none {
        body(definition, place(definition, &claims, ruleOf))
      } else {
        body(definition, .known(slot: slot))
      }
    }
  }

  /// The slots that entries of a new configuration have taken.
  private struct Claims {
    private var taken: [Bool]

    init(slotCount: Int32) { taken = [Bool](repeating: false, count: Int(slotCount)) }

    func contains(_ slot: Int32) -> Bool { Int(slot) >= taken.count || taken[Int(slot)] }
    /// Slots that were handed out since count as taken.
    mutating func add(_ slot: Int32) { if Int(slot) < taken.count { taken[Int(slot)] = true } }
  }

  /// The slot of a budget that was not in force under its key.
  private mutating func place(
    _ definition: BudgetDefinition, _ claims: inout Claims, _ ruleOf: (Int32) -> WindowRule
  ) -> Outcome {
    let key = definition.key
    let window = keys.window(text: key.windowText)
    if let length = definition.rule.rollingLength { keys.note(length, ofWindow: window) }
    return NameBytes.with(key.name) { name in
      guard let newest = latest.slot(key.scope, name, keys: keys) else {
        return .added(slot: add(key.scope, name, window: window, before: nil))
      }
      let again = slot(from: newest, window: window)
      let left = leftOver(from: newest, definition.rule, claims, ruleOf)
      if let left, ruleOf(left) == definition.rule {
        let old = keys[left]
        claims.add(left)
        // A slot of this key from before that is out of reach from now on: the key is this one's.
        if let again { detach(again, of: key.scope, name) }
        keys.setWindow(window, of: left)
        return .renamed(slot: left, from: old)
      }
      let slot = again ?? add(key.scope, name, window: window, before: newest)
      isCurrent[Int(slot)] = true
      claims.add(slot)
      guard let left else { return again == nil ? .added(slot: slot) : .known(slot: slot) }
      claims.add(left)
      isCurrent[Int(left)] = false
      return .replaced(slot: slot, isNew: again == nil, old: keys[left], oldSlot: left)
    }
  }

  /// A budget of the owner, whose newest slot is `newest`, that no entry names any more: one that can
  /// go on as a budget with windows of `rule`, first of all one of the same rule.
  private func leftOver(
    from newest: Int32, _ rule: WindowRule, _ claims: Claims, _ ruleOf: (Int32) -> WindowRule
  ) -> Int32? {
    guard rule.rollingLength != nil else { return nil }
    var found: Int32?
    var next: Int32? = newest
    while let slot = next {
      next = earlier[slot]
      guard isCurrent[Int(slot)], !claims.contains(slot) else { continue }
      let other = ruleOf(slot)
      if other == rule { return slot }
      if found == nil, other.rollingLength != nil { found = slot }
    }
    return found
  }

  /// The slot that goes by `key` now; nil where none does.
  func knownSlot(of key: BudgetKey) -> Int32? {
    guard let window = keys.knownWindow(text: key.windowText) else { return nil }
    return NameBytes.with(key.name) { name in
      latest.slot(key.scope, name, keys: keys).flatMap { slot(from: $0, window: window) }
    }
  }

  /// Hands out the slot of a budget that an earlier life of the node had; each key once, an owner's
  /// newest window last: of those that begin with a charge only the newest was in force for certain.
  mutating func restore(_ key: BudgetKey, _ rule: WindowRule) -> Int32 {
    let window = keys.window(text: key.windowText)
    if let length = rule.rollingLength { keys.note(length, ofWindow: window) }
    return NameBytes.with(key.name) { name in
      let before = latest.slot(key.scope, name, keys: keys)
      let isKnown = before.flatMap { slot(from: $0, window: window) } != nil
      precondition(!isKnown, "a budget restored twice")
      var next = rule.rollingLength == nil ? nil : before
      while let slot = next {
        if !keys.isCalendar(slot) { isCurrent[Int(slot)] = false }
        next = earlier[slot]
      }
      return add(key.scope, name, window: window, before: before)
    }
  }

  private mutating func add(
    _ scope: BudgetScope, _ name: NameBytes, window: Int32, before: Int32?
  ) -> Int32 {
    // An owner's name is in the pool once, however many slots it has.
    let place = before.map { keys.name(of: $0) } ?? keys.append(name: name)
    let slot: Int32
    if let again = free.popLast() {
      slot = again
      keys.set(slot, scope: scope, name: place, window: window)
      isCurrent[Int(slot)] = true
    } else {
      slot = slotCount
      keys.append(scope: scope, name: place, window: window)
      isCurrent.append(true)
    }
    earlier[slot] = before
    latest.set(slot, scope, name, keys: keys)
    return slot
  }

  /// Hands out a slot that the registry has no key for; `isNew`: there was none to hand out again.
  mutating func lend() -> (slot: Int32, isNew: Bool) {
    if let again = free.popLast() { return (again, false) }
    keys.appendFree()
    isCurrent.append(false)
    return (slotCount - 1, true)
  }

  /// Takes a slot back that was lent.
  mutating func takeBack(_ slot: Int32) { free.append(slot) }

  /// A slot that was lent belongs to the budget `key` from now on, which has no slot yet; `isCurrent`:
  /// an entry names it.
  mutating func enter(_ slot: Int32, _ key: BudgetKey, _ rule: WindowRule, isCurrent: Bool) {
    let window = keys.window(text: key.windowText)
    if let length = rule.rollingLength { keys.note(length, ofWindow: window) }
    NameBytes.with(key.name) { name in
      let before = latest.slot(key.scope, name, keys: keys)
      let place = before.map { keys.name(of: $0) } ?? keys.append(name: name)
      keys.set(slot, scope: key.scope, name: place, window: window)
      self.isCurrent[Int(slot)] = isCurrent
      earlier[slot] = before
      latest.set(slot, key.scope, name, keys: keys)
    }
  }

  /// The registry has no key for `slots` any more: they are lent.
  mutating func release(_ slots: [Int32]) { forget(slots) }

  /// The number of a window's text.
  mutating func window(of key: BudgetKey) -> Int32 { keys.window(text: key.windowText) }

  /// Takes slots back that nothing refers to any more.
  mutating func giveBack(_ slots: [Int32]) {
    forget(slots)
    free += slots
  }

  private mutating func forget(_ slots: [Int32]) {
    for slot in slots {
      let (names, scope) = (keys.names, keys.scope(of: slot))
      names.with(keys.name(of: slot)) { name in
        if detach(slot, of: scope, name) { unusedNameBytes += name.count }
      }
      keys.clear(slot)
    }
    if unusedNameBytes > Self.unusedNameByteBound, unusedNameBytes * 2 > keys.names.byteCount {
      moveNames()
    }
  }

  /// Takes `slot` from its owner; whether that was the owner's last.
  @discardableResult
  private mutating func detach(_ slot: Int32, of scope: BudgetScope, _ name: NameBytes) -> Bool {
    guard let newest = latest.slot(scope, name, keys: keys) else { return false }
    if newest != slot {
      unlink(slot, from: newest)
    } else if let before = earlier.removeValue(forKey: slot) {
      latest.set(before, scope, name, keys: keys)
    } else {
      latest.remove(scope, name, keys: keys)
      return true
    }
    return false
  }

  /// Keeps the names that are in use only.
  private mutating func moveNames() {
    var names = NamePool()
    var places = [NamePool.Name?](repeating: nil, count: keys.count)
    var newest = [Int32](repeating: Slot.none, count: keys.count)
    let used = Int32(0)..<slotCount
    for slot in used where !keys.isFree(slot) {
      keys.names.with(keys.name(of: slot)) { name in
        let owners = latest.slot(keys.scope(of: slot), name, keys: keys) ?? slot
        if owners == slot {
          places[Int(slot)] = names.append(name)
        } else {
          newest[Int(slot)] = owners
        }
      }
    }
    // An owner's name is in the pool once.
    for slot in used where newest[Int(slot)] != Slot.none {
      places[Int(slot)] = places[Int(newest[Int(slot)])]
    }
    keys.move(to: names, places: places)
    unusedNameBytes = 0
  }

  /// The slot of an owner that has this window, from its slot `newest` backwards.
  private func slot(from newest: Int32, window: Int32) -> Int32? {
    var next: Int32? = newest
    while let slot = next {
      if keys.window(of: slot) == window { return slot }
      next = earlier[slot]
    }
    return nil
  }

  /// Takes `slot` out of the chain that starts at `newest`, another slot.
  private mutating func unlink(_ slot: Int32, from newest: Int32) {
    var later = newest
    while let next = earlier[later] {
      if next == slot {
        earlier[later] = earlier[slot]
        earlier[slot] = nil
        return
      }
      later = next
    }
  }
}
