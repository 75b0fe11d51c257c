import BudgetModel
import Locks
import Synchronization

/// The dynamic budgets that are live, by name: tables behind short locks, so that lanes seldom wait
/// for each other.
///
/// Any thread looks names up. Adding and taking out is its engine's affair, under the lock of what is
/// installed: so is the order of locks, that one first, then a table's, then a slot's.
final class DynamicBudgets: Sendable {
  private struct Shard: ~Copyable {
    let table = Locked(DynamicTable())
    private let distance = InlineArray<8, UInt64>(repeating: 0)
  }

  static let tableCount = 64
  /// A row's home: six bits of the table, the rest is the row.
  private static let rowBits: UInt32 = 26

  private let shards = InlineArray<64, Shard> { _ in Shard() }
  private let seed = UInt64.random(in: 1 ... .max)
  private let liveCount = Atomic<Int>(0)
  /// By the slot of a pattern's own budget: how many charges it took for names without a place.
  private let overflows = Locked<[Int32: UInt64]>([:])
  private let sharerCount = Atomic<Int>(1)
  /// How many may be live.
  let bound: Int

  init(bound: Int) {
    precondition(bound >= 0 && bound < 1 << 31, "so many dynamic budgets have no slots")
    self.bound = bound
  }

  /// How many are live.
  var live: Int { liveCount.load(ordering: .relaxed) }
  /// Whether no more fit.
  var isFull: Bool { live >= bound }

  /// How many nodes share each limit while an outage policy is in force; else 1.
  var sharers: Int { sharerCount.load(ordering: .relaxed) }

  /// Budgets that are made from now on leave other nodes their parts.
  func beginSharing(among nodes: Int) { sharerCount.store(nodes, ordering: .relaxed) }

  /// They do not any more.
  func endSharing() { sharerCount.store(1, ordering: .relaxed) }

  /// A charge went to the pattern whose own slot this is.
  func countOverflow(_ slot: Int32) { overflows.withLock { $0[slot, default: 0] += 1 } }

  /// How many charges did so, of all patterns.
  var allOverflowed: UInt64 { overflows.withLock { $0.values.reduce(0, +) } }

  /// How many charges did since the process started.
  func overflowed(_ slot: Int32) -> UInt64 { overflows.withLock { $0[slot] ?? 0 } }

  func hash(_ scope: BudgetScope, _ name: NameBytes) -> UInt64 {
    name.hash(seed: seed &+ UInt64(scope.rawValue))
  }

  private func shard(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash) & (Self.tableCount - 1)
  }

  /// Calls `body`, under a lock, with each live budget of the name.
  func forEach(_ scope: BudgetScope, _ name: NameBytes, _ body: (DynamicTable.Row) -> Void) {
    if live == 0 { return }
    let hash = hash(scope, name)
    shards[shard(hash)].table.withLock { $0.forEach(scope, name, hash: hash, body) }
  }

  /// The live budget of the name whose windows have that number; nil where there is none.
  func budget(_ scope: BudgetScope, _ name: NameBytes, window: Int32) -> DynamicTable.Row? {
    let hash = hash(scope, name)
    return shards[shard(hash)].table.withLock { table in
      table.row(scope, name, hash: hash, window: window).map { table.rows[Int($0)] }
    }
  }

  /// Adds a budget that is not live, and gives its home. `tell` hears of the home under the lock.
  func insert(_ budget: DynamicKey, _ name: NameBytes, _ tell: (UInt32) -> Void) {
    let hash = hash(budget.scope, name)
    let shard = shard(hash)
    shards[shard].table.withLock { table in
      let row = table.insert(budget, name, hash: hash, hashOf: self.hash)
      precondition(row < 1 << Self.rowBits, "more rows than a home can tell")
      tell(UInt32(shard) << Self.rowBits | UInt32(row))
    }
    liveCount.add(1, ordering: .relaxed)
  }

  /// Takes the budget out that is live by this name and window, and gives what it was.
  func remove(_ scope: BudgetScope, _ name: NameBytes, window: Int32) -> DynamicTable.Row? {
    let hash = hash(scope, name)
    let gone = shards[shard(hash)].table.withLock { table -> DynamicTable.Row? in
      guard let row = table.row(scope, name, hash: hash, window: window) else { return nil }
      let gone = table.rows[Int(row)]
      table.remove(row, hashOf: self.hash)
      return gone
    }
    if gone != nil { liveCount.subtract(1, ordering: .relaxed) }
    return gone
  }

  /// The scope, name and window of the budget whose home this is.
  func identity(of home: UInt32) -> (scope: BudgetScope, name: String, window: Int32) {
    shards[Int(home >> Self.rowBits)].table.withLock { table in
      let row = table.rows[Int(home & (1 << Self.rowBits - 1))]
      return (row.scope, table.names.text(of: row.name), row.window)
    }
  }

  /// The name and window of the budget whose home this is, where it has `slot` in its life `life`;
  /// nil: it was lost.
  func identity(
    of home: UInt32, slot: Int32, life: UInt32
  ) -> (name: [UInt8], window: Int32)? {
    shards[Int(home >> Self.rowBits)].table.withLock { table in
      let index = Int(home & (1 << Self.rowBits - 1))
      guard index < table.rows.count, table.rows[index].slot == slot,
        table.rows[index].life == life
      else { return nil }
      var name: [UInt8] = []
      table.names.with(table.rows[index].name) { $0.append(to: &name) }
      return (name, table.rows[index].window)
    }
  }

  /// The slot of the live budget that goes by `key`; nil where there is none.
  func slot(of key: BudgetKey, _ keys: SlotKeys) -> Int32? {
    guard let window = keys.knownWindow(text: key.windowText) else { return nil }
    return NameBytes.with(key.name) { budget(key.scope, $0, window: window) }?.slot
  }

  /// So many rows are looked at under one lock.
  private static let rowsAtOnce = 256

  /// Calls `body`, under a table's lock, with every row: as `walk`, to the end.
  func forEachLive(_ body: (DynamicTable.Row, NameBytes) -> Void) {
    var cursor = Cursor()
    repeat {
      walk(&cursor, atMost: Self.rowsAtOnce, body)
    } while !cursor.isAtEnd
  }

  /// The place that a walk over all rows has reached.
  struct Cursor: Sendable {
    fileprivate var shard = 0
    fileprivate var row = 0
    /// Whether every row has been seen once.
    fileprivate(set) var isAtEnd = false
  }

  /// Calls `body`, under a table's lock, with the next rows of one table, `most` at most, and how the
  /// walk goes on. Rows that come and go meanwhile may be missed.
  func walk(
    _ cursor: inout Cursor, atMost most: Int, _ body: (DynamicTable.Row, NameBytes) -> Void
  ) {
    let start = cursor.row
    let end = shards[cursor.shard].table.withLock { table in
      let end = min(start + most, table.rows.count)
      for index in start..<max(start, end) where table.rows[index].slot != Slot.none {
        let row = table.rows[index]
        table.names.with(row.name) { body(row, $0) }
      }
      return end < table.rows.count ? end : -1
    }
    advance(&cursor, end)
  }

  /// Takes the next rows of one table, `most` at most, out where `hasEnded` says so, and gives them
  /// with their names where an entry's slot was theirs.
  func sweep(
    _ cursor: inout Cursor, atMost most: Int, _ hasEnded: (DynamicTable.Row) -> Bool
  ) -> Swept {
    let start = cursor.row
    let (gone, end, seen) = shards[cursor.shard].table.withLock { table in
      var gone: [(row: DynamicTable.Row, name: String)] = []
      let end = min(start + most, table.rows.count)
      for index in start..<max(start, end) where table.rows[index].slot != Slot.none {
        let row = table.rows[index]
        guard hasEnded(row) else { continue }
        gone.append((row, row.wasEntry ? table.names.text(of: row.name) : ""))
        table.remove(Int32(index), hashOf: self.hash)
      }
      return (gone, end < table.rows.count ? end : -1, max(end - start, 0))
    }
    if !gone.isEmpty { liveCount.subtract(gone.count, ordering: .relaxed) }
    advance(&cursor, end)
    return Swept(gone: gone, looked: seen)
  }

  /// The outcome of one look for budgets that are over.
  struct Swept {
    var gone: [(row: DynamicTable.Row, name: String)]
    /// How many rows it looked at.
    var looked: Int
  }

  /// Behind the last row of a table comes the next one, behind the last table the first.
  private func advance(_ cursor: inout Cursor, _ end: Int) {
    if end >= 0 {
      cursor.row = end
      return
    }
    cursor.row = 0
    cursor.shard += 1
    cursor.isAtEnd = cursor.shard == Self.tableCount
    if cursor.isAtEnd { cursor.shard = 0 }
  }
}
