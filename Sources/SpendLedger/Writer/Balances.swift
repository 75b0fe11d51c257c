import BudgetModel

/// The spend that this origin has recorded in each window it charged lately: the truth between
/// folds.
struct Balances {
  /// One window.
  struct Entry {
    var key: BalanceKey
    var end: Int64
    var amount: PicoUSD
    /// Its block in the queue.
    fileprivate(set) var block = 0
    var isDirty = false
    /// Has changed since it was told.
    var isChanged = false
    /// Stays, with nothing in it too: it was noted, or is in the table.
    var isKept = false

    init(key: BalanceKey, end: Int64, amount: PicoUSD, isKept: Bool = false) {
      self.key = key
      self.end = end
      self.amount = amount
      self.isKept = isKept
    }
  }

  private(set) var entries: [Entry] = []
  private var places: [BalanceKey: Int] = [:]
  /// Places of entries that were let go of, for the next ones.
  private var free: [Int] = []
  private(set) var queue = FoldQueue()
  /// The places of changes that were not told yet; none while nobody collects them.
  private(set) var changed: [Int] = []
  private(set) var isCollecting: Bool

  init(isCollecting: Bool = false) { self.isCollecting = isCollecting }

  func place(of key: BalanceKey) -> Int? { places[key] }

  /// Whether the place is still this window's.
  func holds(_ key: BalanceKey, at place: Int) -> Bool { entries[place].key == key }

  mutating func begin(batch: Int64, at instant: Int64) { queue.begin(batch: batch, at: instant) }

  mutating func add(_ entry: Entry) -> Int {
    let place = free.popLast() ?? entries.count
    if place == entries.count { entries.append(entry) } else { entries[place] = entry }
    entries[place].block = queue.add(place, budget: entry.key.budget)
    places[entry.key] = place
    return place
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
    queue.mark(place, of: entries[place].block)
  }

  /// The slice is in the table.
  mutating func folded(_ slice: FoldQueue.Slice) {
    for block in slice.blocks {
      for place in queue.dirty(in: block) {
        entries[place].isDirty = false
        entries[place].isKept = true
      }
    }
    queue.folded(slice)
  }

  /// The places of a budget's windows.
  func places(ofBudget budget: Int64) -> [Int] {
    queue.places(inBlock: FoldQueue.block(of: budget)).filter { entries[$0].key.budget == budget }
  }

  /// Lets go of a block's windows that are over and in the table.
  mutating func dropEnded(inBlock number: Int64, before time: Int64) {
    drop(
      queue.places(inBlock: number).filter {
        !entries[$0].isDirty && !entries[$0].isChanged && entries[$0].end < time
      })
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

  /// Lets go of windows, whose places serve others from now on.
  mutating func drop(_ gone: [Int]) {
    guard !gone.isEmpty else { return }
    let wereChanged = gone.contains { entries[$0].isChanged }
    for place in gone {
      places[entries[place].key] = nil
      queue.remove(place, of: entries[place].block)
      entries[place] = Entry(key: Self.noKey, end: .min, amount: .zero)
      free.append(place)
    }
    if wereChanged { changed.removeAll { !entries[$0].isChanged } }
  }

  private static let noKey = BalanceKey(budget: .min, start: .min)
}
