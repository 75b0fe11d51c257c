/// Finds a number by the hash of its budget's key: open addressing with linear probing, 12 to 15 bytes
/// a budget. The keys are with whoever gives the numbers.
///
/// In parts, each of which grows by itself: with a million budgets none of them takes long.
package struct BudgetKeyIndex: Sendable {
  fileprivate struct Part: Sendable {
    /// Of each place its number, and above it a part of the hash, to spare most comparisons.
    var places = [UInt64](repeating: BudgetKeyIndex.none, count: 4)
    var count = 0
  }

  fileprivate static let none = UInt64.max
  fileprivate static let numberBits: UInt64 = 40
  fileprivate static let numberMask: UInt64 = 1 << numberBits - 1
  private static let partCount = 64

  private var parts = [Part](repeating: Part(), count: partCount)

  package init() {}

  package var count: Int { parts.reduce(0) { $0 + $1.count } }

  package var isEmpty: Bool { parts.allSatisfy { $0.count == 0 } }

  /// Makes room for `count` numbers in an empty index, so that it does not grow with them.
  package mutating func reserve(_ count: Int) {
    precondition(isEmpty, "room is made before the first number")
    // Parts are not all of one size.
    let own = count / Self.partCount
    let part = Part(places: [UInt64](repeating: Self.none, count: own * 5 / 3 + 4))
    parts = [Part](repeating: part, count: Self.partCount)
  }

  /// The number of that hash of which `isIt` is true; nil where there is none.
  package func number(hash: UInt64, where isIt: (Int64) -> Bool) -> Int64? {
    let number = parts[Self.part(hash)].find(hash, where: isIt).number
    return number < 0 ? nil : number
  }

  /// Adds a number, 0 or more, whose key has none. `hashOf` tells the hash of every number here.
  package mutating func insert(_ number: Int64, hash: UInt64, _ hashOf: (Int64) -> UInt64) {
    precondition(number >= 0 && number < Self.numberMask, "a number that a place can hold")
    parts[Self.part(hash)].insert(number, hash, hashOf)
  }

  /// Takes a number out, if it is there. `hashOf` still tells its hash.
  package mutating func remove(_ number: Int64, hash: UInt64, _ hashOf: (Int64) -> UInt64) {
    parts[Self.part(hash)].remove(number, hash, hashOf)
  }

  private static func part(_ hash: UInt64) -> Int { Int(hash & UInt64(partCount - 1)) }
}

extension BudgetKeyIndex.Part {
  private static func number(_ place: UInt64) -> Int64 {
    place == BudgetKeyIndex.none ? -1 : Int64(place & BudgetKeyIndex.numberMask)
  }

  /// The place with a number of that hash of which `isIt` is true, or the one that it would take;
  /// the number is -1 then.
  func find(_ hash: UInt64, where isIt: (Int64) -> Bool) -> (place: Int, number: Int64) {
    let places = places.span
    let tag = Self.tag(hash)
    var index = start(hash)
    while places[index] != BudgetKeyIndex.none {
      let number = Self.number(places[index])
      if places[index] & ~BudgetKeyIndex.numberMask == tag, isIt(number) {
        return (index, number)
      }
      index = after(index)
    }
    return (index, -1)
  }

  mutating func insert(_ number: Int64, _ hash: UInt64, _ hashOf: (Int64) -> UInt64) {
    if (count + 1) * 3 > places.count * 2 { grow(hashOf) }
    let place = find(hash) { _ in false }.place
    places[place] = Self.tag(hash) | UInt64(number)
    count += 1
  }

  mutating func remove(_ number: Int64, _ hash: UInt64, _ hashOf: (Int64) -> UInt64) {
    let found = find(hash) { $0 == number }
    guard found.number >= 0 else { return }
    var hole = found.place
    places[hole] = BudgetKeyIndex.none
    count -= 1
    // Those behind close up, so that each is still found from where its search starts.
    var index = after(hole)
    while places[index] != BudgetKeyIndex.none {
      let home = start(hashOf(Self.number(places[index])))
      if distance(from: home, to: hole) < distance(from: home, to: index) {
        places[hole] = places[index]
        places[index] = BudgetKeyIndex.none
        hole = index
      }
      index = after(index)
    }
  }

  private mutating func grow(_ hashOf: (Int64) -> UInt64) {
    let old = places
    places = [UInt64](repeating: BudgetKeyIndex.none, count: old.count + old.count / 4 + 4)
    for place in old where place != BudgetKeyIndex.none {
      let hash = hashOf(Self.number(place))
      places[find(hash) { _ in false }.place] = place
    }
  }

  /// The lowest bits tell the part, the highest ones the place.
  private static func tag(_ hash: UInt64) -> UInt64 {
    (hash >> 6) << BudgetKeyIndex.numberBits
  }

  private func start(_ hash: UInt64) -> Int {
    Int(hash.multipliedFullWidth(by: UInt64(places.count)).high)
  }

  private func after(_ index: Int) -> Int { index + 1 == places.count ? 0 : index + 1 }

  private func distance(from home: Int, to index: Int) -> Int {
    index >= home ? index - home : index - home + places.count
  }
}
