import BudgetModel

/// What this origin has recorded in each window it charged lately: the truth between folds.
struct Balances {
  /// One window.
  struct Entry {
    var key: BalanceKey
    var end: Int64
    var amount: PicoUSD
    var isDirty = false
    /// Has changed since it was told.
    var isChanged = false
    /// Stays, with nothing in it too: it was noted, or is in the table.
    var isKept = false
  }

  private(set) var entries: [Entry] = []
  private var places: [BalanceKey: Int] = [:]
  private(set) var dirty: [Int] = []
  /// What has changed since it was told; nothing while nobody collects it.
  private(set) var changed: [Int] = []
  private(set) var isCollecting: Bool

  init(isCollecting: Bool = false) { self.isCollecting = isCollecting }

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

  /// The window stays, whatever is in it.
  mutating func keep(_ place: Int) {
    entries[place].isKept = true
    markDirty(place)
  }

  mutating func markDirty(_ place: Int) {
    if isCollecting { markChanged(place) }
    guard !entries[place].isDirty else { return }
    entries[place].isDirty = true
    dirty.append(place)
  }

  /// All that was dirty is in the table.
  mutating func folded() {
    for place in dirty {
      entries[place].isDirty = false
      entries[place].isKept = true
    }
    dirty.removeAll(keepingCapacity: true)
  }

  /// Lets go of windows that are over and in the table. Places change: nobody may keep one.
  mutating func dropEnded(before time: Int64) {
    let kept = entries.filter { $0.isDirty || $0.isChanged || $0.end >= time }
    self = Balances(isCollecting: isCollecting)
    for entry in kept {
      let place = add(entry)
      if entry.isDirty { dirty.append(place) }
      if entry.isChanged { changed.append(place) }
    }
  }

  private mutating func markChanged(_ place: Int) {
    guard !entries[place].isChanged else { return }
    entries[place].isChanged = true
    changed.append(place)
  }

  /// All that had changed was told: from now on changes are collected.
  mutating func told() {
    for place in changed { entries[place].isChanged = false }
    changed.removeAll(keepingCapacity: true)
    isCollecting = true
  }

  /// The table has this row of this origin.
  mutating func take(_ row: BalanceRow) {
    let place =
      place(of: row.key) ?? add(Entry(key: row.key, end: row.end, amount: row.amount))
    entries[place].end = row.end
    entries[place].amount = row.amount
    entries[place].isKept = true
    if isCollecting { markChanged(place) }
  }

  /// Lets go of windows that are not there any more. Their places stay until `dropEnded`.
  mutating func drop(_ gone: [Int]) {
    guard !gone.isEmpty else { return }
    for place in gone {
      places[entries[place].key] = nil
      entries[place].end = .min
      entries[place].isDirty = false
      entries[place].isChanged = false
    }
    dirty.removeAll { !entries[$0].isDirty }
    changed.removeAll { !entries[$0].isChanged }
  }
}
