/// Blocks of budgets with balances that the table does not have yet, the longest waiting first.
///
/// A block is a run of budgets by number, so its rows lie side by side. Each block is folded by
/// itself: with very many budgets a transaction takes a few blocks and not all of them.
struct FoldQueue {
  /// Blocks that a transaction folds.
  struct Slice {
    /// The places of the blocks in the queue's own array.
    fileprivate(set) var blocks: [Int] = []
    /// All balances hold the batches up to this one, once the slice is in the table.
    fileprivate(set) var foldedThrough: Int64
    /// Whether no block is left.
    fileprivate(set) var isAll: Bool

    var isEmpty: Bool { blocks.isEmpty }
  }

  private struct Block {
    let number: Int64
    /// The place of each budget's first balance, by the budget's place in the block, and how many
    /// budgets have one.
    var firsts = [Int32](repeating: FoldQueue.none, count: Int(budgetsPerBlock))
    var count = 0
    /// The places of the balances that the table does not have.
    var dirty: [Int32] = []
    /// Its turn in the queue; nil: nothing is dirty.
    var ticket: Int?
  }

  private struct Turn {
    var block: Int
    var ticket: Int
    /// The first batch that its table rows do not hold, and since when it waits.
    var batch: Int64
    var since: Int64
  }

  /// No balance.
  static let none: Int32 = -1

  /// Room for so many dirty balances is kept for the next ones.
  private static let keptDirty = 64

  /// Budgets in a block. The database's layout: it never changes.
  static let budgetsPerBlock: Int64 = 256

  static func block(of budget: Int64) -> Int64 {
    budget >= 0 ? budget / budgetsPerBlock : (budget + 1) / budgetsPerBlock - 1
  }

  static func budgets(inBlock block: Int64) -> ClosedRange<Int64> {
    block * budgetsPerBlock...block * budgetsPerBlock + budgetsPerBlock - 1
  }

  private var blocks: [Block] = []
  private var byNumber: [Int64: Int] = [:]
  /// Places in `blocks` whose blocks are gone, for the next ones.
  private var free: [Int] = []
  private var turns: [Turn] = []
  private var first = 0
  private var nextTicket = 0
  /// The batch that is being made, and the instant of its beginning.
  private var current: (batch: Int64, instant: Int64) = (1, 0)

  /// From now on what becomes dirty belongs to this batch.
  mutating func begin(batch: Int64, at instant: Int64) { current = (batch, instant) }

  /// The place of a budget's first balance.
  func first(of budget: Int64) -> Int32 {
    guard let block = byNumber[Self.block(of: budget)] else { return Self.none }
    return blocks[block].firsts[Self.place(of: budget)]
  }

  /// The budget's first balance is at `place`; `none`: it has no balance.
  mutating func setFirst(_ place: Int32, of budget: Int64) {
    let number = Self.block(of: budget)
    guard let block = byNumber[number] ?? (place == Self.none ? nil : add(number)) else { return }
    let before = blocks[block].firsts[Self.place(of: budget)]
    blocks[block].firsts[Self.place(of: budget)] = place
    blocks[block].count += (before == Self.none ? 1 : 0) - (place == Self.none ? 1 : 0)
    guard blocks[block].count == 0, blocks[block].ticket == nil else { return }
    // Budgets get new numbers for ever: a block without balances takes no memory.
    byNumber[number] = nil
    blocks[block] = Block(number: number, firsts: [])
    free.append(block)
  }

  private mutating func add(_ number: Int64) -> Int {
    let block = free.popLast() ?? blocks.count
    if block == blocks.count {
      blocks.append(Block(number: number))
    } else {
      blocks[block] = Block(number: number)
    }
    byNumber[number] = block
    return block
  }

  private static func place(of budget: Int64) -> Int {
    Int(budget - budgets(inBlock: block(of: budget)).lowerBound)
  }

  /// Whether some budget of block number `number` has a balance.
  func holds(block number: Int64) -> Bool { byNumber[number] != nil }

  /// The balance at `place`, which was clean, differs from the table.
  mutating func mark(_ place: Int32, budget: Int64) {
    guard let block = byNumber[Self.block(of: budget)] else {
      preconditionFailure("a balance without its block")
    }
    blocks[block].dirty.append(place)
    guard blocks[block].ticket == nil else { return }
    blocks[block].ticket = nextTicket
    turns.append(
      Turn(block: block, ticket: nextTicket, batch: current.batch, since: current.instant))
    nextTicket += 1
  }

  /// The balance at `place`, which differed from the table, is let go of.
  mutating func unmark(_ place: Int32, budget: Int64) {
    guard let block = byNumber[Self.block(of: budget)] else { return }
    blocks[block].dirty.removeAll { $0 == place }
    guard blocks[block].dirty.isEmpty else { return }
    blocks[block].ticket = nil
    trim()
  }

  var isEmpty: Bool { first == turns.count }

  /// Since when the block that waits longest does; nil: none does.
  var waitingSince: Int64? { isEmpty ? nil : turns[first].since }

  /// The next blocks that have waited since `instant` or longer, until they have `rows` balances.
  /// `batch` is the last one when the slice is in the table.
  func slice(rows: Int, waitingSince instant: Int64, through batch: Int64) -> Slice {
    var slice = Slice(foldedThrough: batch, isAll: true)
    var count = 0
    for turn in turns[first...] where isWaiting(turn) {
      if count >= rows || turn.since > instant {
        slice.foldedThrough = min(batch, turn.batch - 1)
        slice.isAll = false
        break
      }
      slice.blocks.append(turn.block)
      count += blocks[turn.block].dirty.count
    }
    return slice
  }

  /// All blocks.
  func all(through batch: Int64) -> Slice {
    slice(rows: .max, waitingSince: .max, through: batch)
  }

  /// The blocks of these budgets.
  func slice(of budgets: some Sequence<Int64>, through batch: Int64) -> Slice {
    let wanted = Set(budgets.compactMap { byNumber[Self.block(of: $0)] })
    var slice = Slice(foldedThrough: batch, isAll: true)
    for turn in turns[first...] where isWaiting(turn) {
      if wanted.contains(turn.block) {
        slice.blocks.append(turn.block)
      } else if slice.isAll {
        slice.foldedThrough = min(batch, turn.batch - 1)
        slice.isAll = false
      }
    }
    return slice
  }

  private func isWaiting(_ turn: Turn) -> Bool { blocks[turn.block].ticket == turn.ticket }

  func number(of block: Int) -> Int64 { blocks[block].number }

  func dirty(in block: Int) -> [Int32] { blocks[block].dirty }

  /// The slice is in the table.
  mutating func folded(_ slice: Slice) {
    for block in slice.blocks {
      blocks[block].dirty.removeAll(keepingCapacity: blocks[block].dirty.count <= Self.keptDirty)
      blocks[block].ticket = nil
    }
    trim()
  }

  private mutating func trim() {
    while first < turns.count, !isWaiting(turns[first]) { first += 1 }
    if first > turns.count / 2 {
      turns.removeFirst(first)
      first = 0
    }
  }
}
