import BudgetModel

/// The latest slot of each owner of budgets: of each scope and name. Eight bytes an entry.
///
/// Open addressing with linear probing; what an owner's name is, the keys of the slots tell.
struct OwnerIndex {
  private struct Entry {
    var tag: UInt32
    /// -1: nothing is here.
    var slot: Int32
  }

  private static let empty = Entry(tag: 0, slot: -1)

  private var entries = [Entry](repeating: empty, count: 8)
  private var count = 0
  private let seed = UInt64.random(in: 1 ... .max)

  /// The latest slot of the owner; nil where it has none.
  func slot(_ scope: BudgetScope, _ name: NameBytes, keys: SlotKeys) -> Int32? {
    let slot = entries[position(scope, name, keys: keys)].slot
    return slot < 0 ? nil : slot
  }

  /// Makes `slot` the latest of its owner.
  mutating func set(_ slot: Int32, _ scope: BudgetScope, _ name: NameBytes, keys: SlotKeys) {
    reserve(1, keys: keys)
    let index = position(scope, name, keys: keys)
    if entries[index].slot < 0 { count += 1 }
    entries[index] = Entry(tag: UInt32(truncatingIfNeeded: hash(scope, name)), slot: slot)
  }

  /// Forgets the owner. Those behind it in its run close up, so that each is still found from where
  /// its search starts.
  mutating func remove(_ scope: BudgetScope, _ name: NameBytes, keys: SlotKeys) {
    var hole = position(scope, name, keys: keys)
    guard entries[hole].slot >= 0 else { return }
    count -= 1
    entries[hole] = Self.empty
    var index = after(hole)
    while entries[index].slot >= 0 {
      let slot = entries[index].slot
      let home = keys.names.with(keys.name(of: slot)) { start(hash(keys.scope(of: slot), $0)) }
      if distance(from: home, to: hole) < distance(from: home, to: index) {
        entries[hole] = entries[index]
        entries[index] = Self.empty
        hole = index
      }
      index = after(index)
    }
  }

  private func after(_ index: Int) -> Int { index + 1 == entries.count ? 0 : index + 1 }

  private func distance(from home: Int, to index: Int) -> Int {
    index >= home ? index - home : index - home + entries.count
  }

  /// The place where the search for a hash starts.
  private func start(_ hash: UInt64) -> Int {
    Int(hash.multipliedFullWidth(by: UInt64(entries.count)).high)
  }

  /// Makes room for `more` owners: at most two thirds of the entries are in use.
  mutating func reserve(_ more: Int, keys: SlotKeys) {
    guard (count + more) * 3 > entries.count * 2 else { return }
    let old = entries
    // Growing one by one it grows by half; a whole configuration finds the room it needs.
    let size = max((count + more) * 3 / 2 + 8, more == 1 ? entries.count * 3 / 2 : 0)
    entries = [Entry](repeating: Self.empty, count: size)
    for entry in old where entry.slot >= 0 {
      let index = keys.names.with(keys.name(of: entry.slot)) {
        position(keys.scope(of: entry.slot), $0, keys: keys)
      }
      entries[index] = entry
    }
  }

  private func hash(_ scope: BudgetScope, _ name: NameBytes) -> UInt64 {
    name.hash(seed: seed &+ UInt64(scope.rawValue))
  }

  /// The place of the owner's entry, or the one it would take.
  private func position(_ scope: BudgetScope, _ name: NameBytes, keys: SlotKeys) -> Int {
    let hash = hash(scope, name)
    let tag = UInt32(truncatingIfNeeded: hash)
    var index = start(hash)
    while true {
      let entry = entries[index]
      if entry.slot < 0 { return index }
      if entry.tag == tag, keys.scope(of: entry.slot) == scope,
        keys.names.with(keys.name(of: entry.slot), { $0 == name })
      {
        return index
      }
      index = after(index)
    }
  }
}
