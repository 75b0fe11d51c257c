/// Finds a number by a budget's key: open addressing with linear probing, 12 to 24 bytes a budget. The
/// keys are with whoever gives the numbers, and told when they are asked for.
package struct BudgetKeyIndex: Sendable {
  private static let none: Int64 = -1

  private var places = [Int64](repeating: none, count: 16)
  package private(set) var count = 0

  package init() {}

  /// The number of `key`; nil where it has none.
  package func number(of key: BudgetKey, _ keyOf: (Int64) -> BudgetKey) -> Int64? {
    let number = places[place(of: key, keyOf)]
    return number == Self.none ? nil : number
  }

  /// Adds a number, 0 or more, whose key has none.
  package mutating func insert(_ number: Int64, _ keyOf: (Int64) -> BudgetKey) {
    precondition(number >= 0, "numbers are not negative")
    if (count + 1) * 3 > places.count * 2 { grow(keyOf) }
    places[place(of: keyOf(number), keyOf)] = number
    count += 1
  }

  /// Takes the number of a key out, if it has one. `keyOf` still tells its key.
  package mutating func remove(_ key: BudgetKey, _ keyOf: (Int64) -> BudgetKey) {
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

  private mutating func grow(_ keyOf: (Int64) -> BudgetKey) {
    let old = places
    places = [Int64](repeating: Self.none, count: old.count * 2)
    for number in old where number != Self.none {
      places[place(of: keyOf(number), keyOf)] = number
    }
  }

  private func place(of key: BudgetKey, _ keyOf: (Int64) -> BudgetKey) -> Int {
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
