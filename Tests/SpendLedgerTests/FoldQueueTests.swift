import BudgetModel
import SeededRandom
import Testing

@testable import SpendLedger

/// Blocks of budgets are folded each by itself, the longest waiting first.
@Suite struct FoldQueueTests {
  /// A balance of a budget in each of so many blocks; their places.
  private func balances(blocks: Int64) -> (Balances, [Int]) {
    var balances = Balances()
    let places = (0..<blocks).map { block in
      balances.add(
        Balances.Entry(
          key: BalanceKey(budget: block * FoldQueue.budgetsPerBlock, start: 1), end: 2,
          amount: .zero))
    }
    return (balances, places)
  }

  private let cent = PicoUSD(pico: 1)

  @Test func budgetsShareABlockByTheirNumbers() {
    #expect([0, 1, 255, 256, 511, 512].map(FoldQueue.block) == [0, 0, 0, 1, 1, 2])
    #expect([-1, -256, -257].map(FoldQueue.block) == [-1, -1, -2])
    for block: Int64 in [-2, 0, 7] {
      #expect(FoldQueue.budgets(inBlock: block).allSatisfy { FoldQueue.block(of: $0) == block })
      #expect(FoldQueue.budgets(inBlock: block).count == 256)
    }
  }

  @Test func aSliceTakesThoseThatWaitLongest() {
    var (balances, places) = balances(blocks: 4)
    for (batch, place) in zip(Int64(1)..., [places[2], places[0], places[3], places[2]]) {
      balances.begin(batch: batch, at: batch * 10)
      balances.charge(cent, at: place)
    }
    #expect(balances.queue.waitingSince == 10)
    let first = balances.queue.slice(rows: 1, waitingSince: .max, through: 4)
    #expect(first.blocks.map(balances.queue.number) == [2])
    // Batch 2 has charged a block that the table does not have.
    #expect(first.foldedThrough == 1 && !first.isAll)
    balances.folded(first)
    #expect(!balances.entries[places[2]].isDirty && balances.entries[places[2]].isKept)
    let second = balances.queue.slice(rows: 2, waitingSince: .max, through: 4)
    #expect(second.blocks.map(balances.queue.number) == [0, 3])
    #expect(second.foldedThrough == 4 && second.isAll)
    balances.folded(second)
    #expect(balances.queue.isEmpty && balances.queue.waitingSince == nil)
  }

  @Test func aSliceLeavesWhatHasNotWaited() {
    var (balances, places) = balances(blocks: 2)
    for (batch, place) in zip(Int64(1)..., places) {
      balances.begin(batch: batch, at: batch * 10)
      balances.charge(cent, at: place)
    }
    let slice = balances.queue.slice(rows: .max, waitingSince: 15, through: 2)
    #expect(slice.blocks.map(balances.queue.number) == [0] && slice.foldedThrough == 1)
    let none = balances.queue.slice(rows: .max, waitingSince: 5, through: 2)
    #expect(none.isEmpty && none.foldedThrough == 0)
  }

  @Test func theBlocksOfGivenBudgetsAreFoldedOutOfTurn() {
    var (balances, places) = balances(blocks: 3)
    for (batch, place) in zip(Int64(1)..., places) {
      balances.begin(batch: batch, at: 0)
      balances.charge(cent, at: place)
    }
    let slice = balances.queue.slice(of: [256, 300, 9_999], through: 3)
    #expect(slice.blocks.map(balances.queue.number) == [1])
    #expect(slice.foldedThrough == 0, "the first batch has charged block 0")
    balances.folded(slice)
    balances.begin(batch: 4, at: 0)
    balances.charge(cent, at: places[1])
    #expect(balances.queue.all(through: 4).blocks.map(balances.queue.number) == [0, 2, 1])
  }

  @Test func aWindowThatIsLetGoOfIsNotFolded() {
    var (balances, places) = balances(blocks: 2)
    balances.begin(batch: 1, at: 0)
    for place in places { balances.charge(cent, at: place) }
    balances.drop([places[0]])
    #expect(balances.queue.all(through: 1).blocks.map(balances.queue.number) == [1])
    let key = BalanceKey(budget: 5, start: 9)
    let place = balances.add(Balances.Entry(key: key, end: 2, amount: .zero))
    #expect(place == places[0])
    #expect(balances.holds(key, at: places[0]) && balances.place(of: key) == places[0])
    #expect(!balances.holds(BalanceKey(budget: 0, start: 1), at: places[0]))
  }

  /// A budget may have thousands of windows; those that are let go of leave the others where they are.
  @Test func windowsOfManyBudgetsComeAndGo() {
    var balances = Balances()
    var random = SeededRandom(seed: 3)
    var known: [BalanceKey: Int] = [:]
    for _ in 0..<4_000 {
      let budget = Int64(random.below(600)) - 40
      let key = BalanceKey(budget: budget, start: Int64(random.below(8)))
      if let place = known[key], random.chance(0.7) {
        let gone = known.filter { $0.key.budget == budget && random.chance(0.5) }
        balances.drop(gone.map(\.value) + (gone[key] == nil ? [place] : []))
        known = known.filter { gone[$0.key] == nil && $0.key != key }
      } else if known[key] == nil {
        known[key] = balances.add(Balances.Entry(key: key, end: 9, amount: .zero))
        if let place = known[key], random.chance(0.5) { balances.charge(cent, at: place) }
      }
      #expect(balances.place(of: key) == known[key])
      let own = known.filter { $0.key.budget == budget }.map(\.value)
      #expect(balances.places(ofBudget: budget).sorted() == own.sorted())
    }
    for (key, place) in known { #expect(balances.place(of: key) == place) }
    let dirty = known.values.filter { balances.entries[$0].isDirty }
    let all = balances.queue.all(through: 1)
    #expect(
      all.blocks.flatMap { balances.queue.dirty(in: $0) }.map { Int($0) }.sorted()
        == dirty.sorted())
    for block in FoldQueue.block(of: -40)...FoldQueue.block(of: 600) {
      balances.folded(balances.queue.all(through: 1))
      balances.dropEnded(inBlock: block, before: 10)
      #expect(!balances.queue.holds(block: block))
    }
    #expect(known.keys.allSatisfy { balances.place(of: $0) == nil } && balances.queue.isEmpty)
  }

  /// Whatever is folded when: a start that takes the table's rows and charges the batches that its
  /// marks do not cover finds every balance as it is.
  @Test(arguments: 0..<20)
  func marksAndRowsAlwaysAddUp(round: Int) {
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    let (made, places) = balances(blocks: 5)
    var balances = made
    var table: [Int: PicoUSD] = [:]
    var marks: [Int64: Int64] = [:]
    var folded: Int64 = 0
    var batches: [[Int]] = []
    for batch: Int64 in 1...60 {
      balances.begin(batch: batch, at: batch)
      let charged = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        Int.random(in: 0..<5, using: &random)
      }
      for block in charged { balances.charge(cent, at: places[block]) }
      batches.append(charged)
      let slice =
        switch Int.random(in: 0..<4, using: &random) {
        case 0: balances.queue.slice(rows: 1, waitingSince: batch - 3, through: batch)
        case 1: balances.queue.slice(of: [.random(in: 0..<1_280, using: &random)], through: batch)
        case 2: balances.queue.slice(rows: 2, waitingSince: .max, through: batch)
        default: balances.queue.slice(rows: 1, waitingSince: .min, through: batch)
        }
      #expect(slice.foldedThrough >= folded, "seed \(random.seed)")
      for block in slice.blocks {
        for place in balances.queue.dirty(in: block).map({ Int($0) }) {
          table[place] = balances.entries[place].amount
        }
        if !slice.isAll { marks[balances.queue.number(of: block)] = batch }
      }
      folded = slice.foldedThrough
      balances.folded(slice)
      for (block, place) in places.enumerated() {
        let mark = max(folded, marks[Int64(block)] ?? 0)
        let later = batches[Int(mark)...].reduce(0) { $0 + $1.count { $0 == block } }
        let found = (table[place] ?? .zero).pico + Int128(later)
        #expect(found == balances.entries[place].amount.pico, "seed \(random.seed)")
      }
    }
  }
}
