import BudgetModel

/// The spend that this origin has recorded in each window it charged lately: the truth between
/// folds. Some 55 bytes a window.
struct Balances {
  /// One window: 48 bytes.
  struct Entry {
    var amount: PicoUSD
    var key: BalanceKey
    var end: Int64
    /// The next window of the budget, or the next free place.
    fileprivate(set) var next = FoldQueue.none
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

  private(set) var entries = Pieces<Entry>()
  /// The first place of those that were let go of, for the next ones.
  private var firstFree = FoldQueue.none
  private(set) var queue = FoldQueue()
  /// The places of changes that were not told yet; none while nobody collects them.
  private(set) var changed: [Int32] = []
  private(set) var isCollecting: Bool

  /// Room for so many changes is kept for the next ones.
  private static let keptChanges = 16_384

  init(isCollecting: Bool = false) { self.isCollecting = isCollecting }

  func place(of key: BalanceKey) -> Int? {
    var place = queue.first(of: key.budget)
    while place != FoldQueue.none {
      if entries[Int(place)].key.start == key.start { return Int(place) }
      place = entries[Int(place)].next
    }
    return nil
  }

  /// Whether the place is still this window's.
  func holds(_ key: BalanceKey, at place: Int) -> Bool { entries[place].key == key }

  mutating func begin(batch: Int64, at instant: Int64) { queue.begin(batch: batch, at: instant) }

  mutating func add(_ entry: Entry) -> Int {
    var entry = entry
    let place = firstFree == FoldQueue.none ? Int32(entries.count) : firstFree
    entry.next = queue.first(of: entry.key.budget)
    if firstFree == FoldQueue.none {
      entries.append(entry)
    } else {
      firstFree = entries[Int(place)].next
      entries[Int(place)] = entry
    }
    queue.setFirst(place, of: entry.key.budget)
    return Int(place)
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
    queue.mark(Int32(place), budget: entries[place].key.budget)
  }

  /// The slice is in the table.
  mutating func folded(_ slice: FoldQueue.Slice) {
    for block in slice.blocks {
      for place in queue.dirty(in: block) {
        entries[Int(place)].isDirty = false
        entries[Int(place)].isKept = true
      }
    }
    queue.folded(slice)
  }

  /// The places of a budget's windows.
  func places(ofBudget budget: Int64) -> [Int] {
    var places: [Int] = []
    var place = queue.first(of: budget)
    while place != FoldQueue.none {
      places.append(Int(place))
      place = entries[Int(place)].next
    }
    return places
  }

  /// Lets go of a block's windows that are over and in the table.
  mutating func dropEnded(inBlock number: Int64, before time: Int64) {
    guard queue.holds(block: number) else { return }
    drop(
      FoldQueue.budgets(inBlock: number).flatMap { places(ofBudget: $0) }.filter {
        !entries[$0].isDirty && !entries[$0].isChanged && entries[$0].end < time
      })
  }

  private mutating func markChanged(_ place: Int) {
    guard !entries[place].isChanged else { return }
    entries[place].isChanged = true
    changed.append(Int32(place))
  }

  /// All that had changed was told: from now on changes are collected.
  mutating func told() {
    for place in changed { entries[Int(place)].isChanged = false }
    changed.removeAll(keepingCapacity: changed.count <= Self.keptChanges)
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
    let going = Set(gone)
    let wereChanged = going.contains { entries[$0].isChanged }
    for place in going where entries[place].isDirty {
      queue.unmark(Int32(place), budget: entries[place].key.budget)
    }
    for budget in Set(going.map { entries[$0].key.budget }) { unlink(going, of: budget) }
    for place in going {
      entries[place] = Entry(key: Self.noKey, end: .min, amount: .zero)
      entries[place].next = firstFree
      firstFree = Int32(place)
    }
    if wereChanged { changed.removeAll { !entries[Int($0)].isChanged } }
  }

  private mutating func unlink(_ going: Set<Int>, of budget: Int64) {
    let kept = places(ofBudget: budget).filter { !going.contains($0) }.map { Int32($0) }
    queue.setFirst(kept.first ?? FoldQueue.none, of: budget)
    for (place, next) in zip(kept, kept.dropFirst() + [FoldQueue.none]) {
      entries[Int(place)].next = next
    }
  }

  private static let noKey = BalanceKey(budget: .min, start: .min)
}
