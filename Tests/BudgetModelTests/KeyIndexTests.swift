import BudgetModel
import SeededRandom
import Testing

/// Keys without texts, and the index that finds their numbers.
@Suite struct KeyIndexTests {
  private func key(_ number: Int) -> BudgetKey {
    let name = String(repeating: "n", count: number % 40) + "\(number / 6)"
    return BudgetKey(
      scope: [.tag, .provider, .model][number % 3], name: name,
      windowText: ["1d", "month"][number % 2])
  }

  /// Budgets come and go; each is found as long as it is there, under its own key alone, and names of
  /// those that are gone do not take memory for ever.
  @Test func keysComeAndGo() {
    var pool = BudgetKeyPool()
    var index = BudgetKeyIndex()
    var shorts: [BudgetKeyPool.Key?] = Array(repeating: nil, count: 3_000)
    var random = SeededRandom(seed: 11)
    var moves = 0
    func hash(_ number: Int64) -> UInt64 { shorts[Int(number)].map { pool.hash(of: $0) } ?? 0 }
    func find(_ key: BudgetKey) -> Int? {
      guard let hash = pool.hash(of: key) else { return nil }
      return index.number(hash: hash) { number in
        shorts[Int(number)].map { pool.isEqual($0, key) } ?? false
      }.map { Int($0) }
    }
    for _ in 0..<40_000 {
      let number = random.below(shorts.count)
      if let short = shorts[number] {
        #expect(find(key(number)) == number && pool[short] == key(number))
        index.remove(Int64(number), hash: pool.hash(of: short), hash)
        pool.remove(short)
        shorts[number] = nil
      } else {
        let short = pool.add(key(number))
        shorts[number] = short
        index.insert(Int64(number), hash: pool.hash(of: short), hash)
      }
      if pool.isWasteful {
        var kept = pool.emptied()
        for number in shorts.indices {
          shorts[number] = shorts[number].map { kept.take($0, from: pool) }
        }
        pool = kept
        moves += 1
      }
    }
    #expect(moves > 3 && index.count == shorts.count { $0 != nil })
    for number in shorts.indices {
      #expect(find(key(number)) == (shorts[number] == nil ? nil : number))
    }
  }

  @Test func piecesAreACollection() {
    var pieces = Pieces<Int>()
    pieces.fill(to: 2_500, with: 0)
    for index in pieces.indices { pieces[index] = index }
    pieces.append(2_500)
    #expect(Array(pieces) == Array(0...2_500))
  }
}
