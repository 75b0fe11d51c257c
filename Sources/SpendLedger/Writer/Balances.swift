import BudgetModel

/// What this origin has recorded in each window it charged lately: the truth between folds.
struct Balances {
  /// One window.
  struct Entry {
    var key: BalanceKey
    var end: Int64
    var amount: PicoUSD
    var isDirty = false
  }

  private(set) var entries: [Entry] = []
  private var places: [BalanceKey: Int] = [:]
  private(set) var dirty: [Int] = []

  func place(of key: BalanceKey) -> Int? { places[key] }

  mutating func add(_ entry: Entry) -> Int {
    places[entry.key] = entries.count
    entries.append(entry)
    return entries.count - 1
  }

  mutating func charge(_ amount: PicoUSD, at place: Int) {
    entries[place].amount += amount
    markDirty(place)
  }

  /// Takes back a charge whose batch definitely failed.
  mutating func undo(_ amount: PicoUSD, at place: Int) { entries[place].amount -= amount }

  mutating func end(_ place: Int, at time: Int64) {
    entries[place].end = time
    markDirty(place)
  }

  mutating func markDirty(_ place: Int) {
    guard !entries[place].isDirty else { return }
    entries[place].isDirty = true
    dirty.append(place)
  }

  /// All that was dirty is in the table.
  mutating func folded() {
    for place in dirty { entries[place].isDirty = false }
    dirty.removeAll(keepingCapacity: true)
  }

  /// Lets go of windows that are over and in the table. Places change: nobody may keep one.
  mutating func dropEnded(before time: Int64) {
    let kept = entries.filter { $0.isDirty || $0.end >= time }
    self = Balances()
    for entry in kept {
      let place = add(entry)
      if entry.isDirty { dirty.append(place) }
    }
  }
}
