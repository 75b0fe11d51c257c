import BudgetModel

/// The live dynamic budgets of some names: by scope and name the first, then one after another.
///
/// Open addressing with linear probing. Rows keep their places, names may move. Memory: some 40 bytes
/// a budget and its name.
struct DynamicTable {
  /// One live budget: 24 bytes.
  struct Row {
    var name: NamePool.Name
    var scope: BudgetScope
    /// Whether a configuration that somebody may still have names the slot as an entry's.
    var wasEntry: Bool
    /// The number of the window's text.
    var window: Int32
    /// `Slot.none`: the row is free.
    var slot: Int32
    /// The slot's life in which it is this budget's.
    var life: UInt32
    /// The next row of the name, or the next free one.
    var next: Int32
  }

  private struct Entry {
    var tag: UInt32
    /// The first row of the name; -1: nothing is here.
    var row: Int32
  }

  private static let end: Int32 = -1
  private static let empty = Entry(tag: 0, row: end)
  /// Fewer unused bytes of names are not worth moving the others.
  private static let unusedByteBound = 4_096

  private var entries = [Entry](repeating: empty, count: 8)
  private var nameCount = 0
  private(set) var rows: [Row] = []
  private var firstFree = end
  private(set) var names = NamePool()
  private var unusedNameBytes = 0

  /// Calls `body` with each budget of the name.
  func forEach(_ scope: BudgetScope, _ name: NameBytes, hash: UInt64, _ body: (Row) -> Void) {
    var row = entries[position(scope, name, hash)].row
    while row != Self.end {
      body(rows[Int(row)])
      row = rows[Int(row)].next
    }
  }

  /// The row of a budget; nil where it is not live.
  func row(_ scope: BudgetScope, _ name: NameBytes, hash: UInt64, window: Int32) -> Int32? {
    var row = entries[position(scope, name, hash)].row
    while row != Self.end {
      if rows[Int(row)].window == window { return row }
      row = rows[Int(row)].next
    }
    return nil
  }

  /// Adds a budget and gives its row. `hashOf` tells the hash of any name here.
  mutating func insert(
    _ budget: DynamicKey, _ name: NameBytes, hash: UInt64,
    hashOf: (BudgetScope, NameBytes) -> UInt64
  ) -> Int32 {
    if (nameCount + 1) * 3 > entries.count * 2 { grow(hashOf) }
    let place = position(budget.scope, name, hash)
    let before = entries[place].row
    let text: NamePool.Name
    if before == Self.end {
      nameCount += 1
      // By an eighth: doubled, names could take twice the memory they need.
      if names.freeByteCount < name.count { names.reserve(name.count + names.byteCount / 8) }
      text = names.append(name)
    } else {
      text = rows[Int(before)].name
    }
    let row = Row(
      name: text, scope: budget.scope, wasEntry: budget.wasEntry, window: budget.window,
      slot: budget.slot, life: budget.life, next: before)
    let index: Int32
    if firstFree == Self.end {
      index = Int32(rows.count)
      if rows.count == rows.capacity { rows.reserveCapacity(rows.count + rows.count / 8 + 8) }
      rows.append(row)
    } else {
      index = firstFree
      firstFree = rows[Int(index)].next
      rows[Int(index)] = row
    }
    entries[place] = Entry(tag: UInt32(truncatingIfNeeded: hash), row: index)
    return index
  }

  /// Takes a budget out. Its row and, with the name's last, its name are free.
  mutating func remove(_ row: Int32, hashOf: (BudgetScope, NameBytes) -> UInt64) {
    let gone = rows[Int(row)]
    let place = names.with(gone.name) { position(gone.scope, $0, hashOf(gone.scope, $0)) }
    if entries[place].row == row {
      entries[place].row = gone.next
    } else {
      var before = entries[place].row
      while rows[Int(before)].next != row { before = rows[Int(before)].next }
      rows[Int(before)].next = gone.next
    }
    rows[Int(row)].slot = Slot.none
    rows[Int(row)].next = firstFree
    firstFree = row
    guard entries[place].row == Self.end else { return }
    nameCount -= 1
    unusedNameBytes += names.with(gone.name) { $0.count }
    closeUp(place, hashOf)
    if unusedNameBytes > Self.unusedByteBound, unusedNameBytes * 2 > names.byteCount { moveNames() }
  }

  /// Those behind a hole close up, so that each is still found from where its search starts.
  private mutating func closeUp(_ place: Int, _ hashOf: (BudgetScope, NameBytes) -> UInt64) {
    var hole = place
    entries[hole] = Self.empty
    var index = after(hole)
    while entries[index].row != Self.end {
      let row = rows[Int(entries[index].row)]
      let home = names.with(row.name) { start(hashOf(row.scope, $0)) }
      if distance(from: home, to: hole) < distance(from: home, to: index) {
        entries[hole] = entries[index]
        entries[index] = Self.empty
        hole = index
      }
      index = after(index)
    }
  }

  private mutating func grow(_ hashOf: (BudgetScope, NameBytes) -> UInt64) {
    let old = entries
    entries = [Entry](repeating: Self.empty, count: old.count + old.count / 4 + 8)
    for entry in old where entry.row != Self.end {
      let row = rows[Int(entry.row)]
      let place = names.with(row.name) { position(row.scope, $0, hashOf(row.scope, $0)) }
      entries[place] = entry
    }
  }

  /// Keeps the names that are in use only; a name is in the pool once, however many rows it has.
  private mutating func moveNames() {
    var kept = NamePool()
    kept.reserve(names.byteCount - unusedNameBytes)
    for entry in entries where entry.row != Self.end {
      let place = names.with(rows[Int(entry.row)].name) { kept.append($0) }
      var row = entry.row
      while row != Self.end {
        rows[Int(row)].name = place
        row = rows[Int(row)].next
      }
    }
    names = kept
    unusedNameBytes = 0
  }

  private func after(_ index: Int) -> Int { index + 1 == entries.count ? 0 : index + 1 }

  private func distance(from home: Int, to index: Int) -> Int {
    index >= home ? index - home : index - home + entries.count
  }

  private func start(_ hash: UInt64) -> Int {
    Int(hash.multipliedFullWidth(by: UInt64(entries.count)).high)
  }

  /// The place of the name's entry, or the one it would take.
  private func position(_ scope: BudgetScope, _ name: NameBytes, _ hash: UInt64) -> Int {
    let tag = UInt32(truncatingIfNeeded: hash)
    let entries = entries.span
    var index = start(hash)
    while true {
      let entry = entries[index]
      if entry.row == Self.end { return index }
      if entry.tag == tag, rows[Int(entry.row)].scope == scope,
        names.with(rows[Int(entry.row)].name, { $0 == name })
      {
        return index
      }
      index = after(index)
    }
  }
}

/// A dynamic budget as it is put into the table.
struct DynamicKey {
  var scope: BudgetScope
  var window: Int32
  var slot: Int32
  var life: UInt32
  var wasEntry = false
}
