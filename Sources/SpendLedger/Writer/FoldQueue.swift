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
    /// Places of all balances in it, and of those that the table does not have.
    var places: [Int] = []
    var dirty: [Int] = []
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
  private var turns: [Turn] = []
  private var first = 0
  private var nextTicket = 0
  /// The batch that is being made, and the instant of its beginning.
  private var current: (batch: Int64, instant: Int64) = (1, 0)

  /// From now on what becomes dirty belongs to this batch.
  mutating func begin(batch: Int64, at instant: Int64) { current = (batch, instant) }

  /// A balance was added at `place`; the place of its block.
  mutating func add(_ place: Int, budget: Int64) -> Int {
    let number = Self.block(of: budget)
    let block = byNumber[number] ?? blocks.count
    if block == blocks.count {
      blocks.append(Block(number: number))
      byNumber[number] = block
    }
    blocks[block].places.append(place)
    return block
  }

  /// The balance at `place` is gone.
  mutating func remove(_ place: Int, of block: Int) {
    blocks[block].places.removeAll { $0 == place }
    blocks[block].dirty.removeAll { $0 == place }
    if blocks[block].dirty.isEmpty { blocks[block].ticket = nil }
    trim()
  }

  /// The balance at `place`, which was clean, differs from the table.
  mutating func mark(_ place: Int, of block: Int) {
    blocks[block].dirty.append(place)
    guard blocks[block].ticket == nil else { return }
    blocks[block].ticket = nextTicket
    turns.append(
      Turn(block: block, ticket: nextTicket, batch: current.batch, since: current.instant))
    nextTicket += 1
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

  func dirty(in block: Int) -> [Int] { blocks[block].dirty }

  /// The slice is in the table.
  mutating func folded(_ slice: Slice) {
    for block in slice.blocks {
      blocks[block].dirty.removeAll(keepingCapacity: true)
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

  /// The places of all balances of the budgets in block number `number`.
  func places(inBlock number: Int64) -> [Int] {
    byNumber[number].map { blocks[$0].places } ?? []
  }
}
