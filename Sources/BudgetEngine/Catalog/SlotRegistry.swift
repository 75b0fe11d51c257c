import BudgetModel

/// Which slot belongs to which budget, over all configurations this process has had.
///
/// Slots are handed out once and never reused, so that a record that was resolved under an old
/// configuration still charges the budget it was meant for.
struct SlotRegistry {
  /// A budget without its window's text.
  private struct Owner: Hashable {
    var scope: BudgetScope
    var name: ExactText
  }

  private struct Known {
    var windowText: String
    var slot: Int32
  }

  private var slots: [BudgetKey: Int32] = [:]
  /// The key that each owner had last, also while it is not configured.
  private var latest: [Owner: Known] = [:]
  /// The key of each slot, as it is now.
  private(set) var keys: [BudgetKey] = []

  /// How many slots were handed out.
  var slotCount: Int32 { Int32(keys.count) }

  /// What became of a budget in a new configuration.
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

  /// The slot of a budget in a new configuration. `lengthOf` tells the window length of a slot.
  mutating func resolve(
    _ definition: BudgetDefinition, lengthOf: (Int32) -> WindowLength
  ) -> Outcome {
    let key = definition.key
    let owner = Owner(scope: key.scope, name: ExactText(key.name))
    let before = latest[owner]
    guard let before, ExactText(before.windowText) != ExactText(key.windowText) else {
      let (slot, isNew) = slot(of: key)
      latest[owner] = Known(windowText: key.windowText, slot: slot)
      return isNew ? .added(slot: slot) : .known(slot: slot)
    }
    let old = BudgetKey(scope: key.scope, name: key.name, windowText: before.windowText)
    if lengthOf(before.slot) == definition.windowLength {
      slots[old] = nil
      slots[key] = before.slot
      keys[Int(before.slot)] = key
      latest[owner] = Known(windowText: key.windowText, slot: before.slot)
      return .renamed(slot: before.slot, from: old)
    }
    let (slot, isNew) = slot(of: key)
    latest[owner] = Known(windowText: key.windowText, slot: slot)
    return .replaced(slot: slot, isNew: isNew, old: old, oldSlot: before.slot)
  }

  /// The slot that goes by `key` now; nil where none does.
  func knownSlot(of key: BudgetKey) -> Int32? { slots[key] }

  private mutating func slot(of key: BudgetKey) -> (slot: Int32, isNew: Bool) {
    if let slot = slots[key] { return (slot, false) }
    let slot = slotCount
    slots[key] = slot
    keys.append(key)
    return (slot, true)
  }

  /// Hands out the slot of a budget that an earlier life of the node had; each key once, an owner's
  /// newest window last.
  mutating func restore(_ key: BudgetKey) -> Int32 {
    let (slot, isNew) = slot(of: key)
    precondition(isNew, "a budget restored twice")
    latest[Owner(scope: key.scope, name: ExactText(key.name))] = Known(
      windowText: key.windowText, slot: slot)
    return slot
  }
}
