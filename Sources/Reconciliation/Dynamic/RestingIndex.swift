import BudgetModel

/// Finds the first row of a budget by its key: open addressing with linear probing, some six bytes a
/// budget. The keys are in the rows.
struct RestingIndex {
  private static let none: Int32 = -1

  private var places = [Int32](repeating: none, count: 16)
  private(set) var count = 0

  /// The row of `key`; nil where it has none.
  func row(of key: BudgetKey, _ keyOf: (Int32) -> BudgetKey) -> Int32? {
    let row = places[place(of: key, keyOf)]
    return row == Self.none ? nil : row
  }

  /// Adds the row of a key that has none.
  mutating func insert(_ row: Int32, _ keyOf: (Int32) -> BudgetKey) {
    if (count + 1) * 3 > places.count * 2 { grow(keyOf) }
    places[place(of: keyOf(row), keyOf)] = row
    count += 1
  }

  /// Takes the row of a key out.
  mutating func remove(_ key: BudgetKey, _ keyOf: (Int32) -> BudgetKey) {
    var hole = place(of: key, keyOf)
    guard places[hole] != Self.none else { return }
    places[hole] = Self.none
    count -= 1
    // Those behind close up, so that each is still found from where its search starts.
    var index = after(hole)
    while places[index] != Self.none {
      let home = start(keyOf(places[index]))
      if distance(from: home, to: hole) < distance(from: home, to: index) {
        places[hole] = places[index]
        places[index] = Self.none
        hole = index
      }
      index = after(index)
    }
  }

  private mutating func grow(_ keyOf: (Int32) -> BudgetKey) {
    let old = places
    places = [Int32](repeating: Self.none, count: old.count * 2)
    for row in old where row != Self.none { places[place(of: keyOf(row), keyOf)] = row }
  }

  private func place(of key: BudgetKey, _ keyOf: (Int32) -> BudgetKey) -> Int {
    var index = start(key)
    while places[index] != Self.none, keyOf(places[index]) != key { index = after(index) }
    return index
  }

  private func start(_ key: BudgetKey) -> Int { key.hashValue & (places.count - 1) }

  private func after(_ index: Int) -> Int { (index + 1) & (places.count - 1) }

  private func distance(from home: Int, to index: Int) -> Int {
    (index - home) & (places.count - 1)
  }
}
