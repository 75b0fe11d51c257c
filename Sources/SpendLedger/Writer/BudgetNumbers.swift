import BudgetModel

/// The numbers by which rows name budgets. A new budget gets its row with the next transaction.
///
/// Some 60 bytes a budget: dictionaries both ways would take 200.
struct BudgetNumbers {
  /// The keys of so many numbers are a piece, which goes when none of them is used any more.
  private static let pieceSize: Int64 = 256

  private var pieces: [Int64: [BudgetKey?]] = [:]
  private var index = BudgetKeyIndex()
  private var next: Int64 = 1
  /// Budgets that have a number and no row yet.
  private(set) var unwritten: [(number: Int64, key: BudgetKey)] = []

  /// `rows`: the budgets of the database, by their numbers.
  init(_ rows: [Int64: BudgetKey] = [:]) {
    for (number, key) in rows where number >= 0 {
      next = max(next, number + 1)
      if self[key] == nil { insert(number, key) }
    }
  }

  /// The number of a budget that is known.
  subscript(key: BudgetKey) -> Int64? {
    let pieces = pieces
    return index.number(of: key) { Self.known($0, in: pieces) }
  }

  /// The budget that goes by `number`; nil: there is none.
  func key(of number: Int64) -> BudgetKey? {
    guard number >= 0 else { return nil }
    return pieces[number / Self.pieceSize]?[Int(number % Self.pieceSize)]
  }

  private static func known(_ number: Int64, in pieces: [Int64: [BudgetKey?]]) -> BudgetKey {
    guard let key = pieces[number / pieceSize]?[Int(number % pieceSize)] else {
      preconditionFailure("a number without its key")
    }
    return key
  }

  /// The number of a budget, a new one where it is not known.
  mutating func number(of key: BudgetKey) -> Int64 {
    if let number = self[key] { return number }
    let number = next
    next += 1
    insert(number, key)
    unwritten.append((number, key))
    return number
  }

  /// All budgets, by their numbers in order.
  var inOrder: [(number: Int64, key: BudgetKey)] {
    pieces.sorted { $0.key < $1.key }.flatMap { piece, keys in
      keys.enumerated().compactMap { place, key in
        key.map { (piece * Self.pieceSize + Int64(place), $0) }
      }
    }
  }

  func isUnwritten(_ number: Int64) -> Bool { unwritten.contains { $0.number == number } }

  /// All budgets have their rows.
  mutating func written() { unwritten.removeAll() }

  /// A budget goes by another key. One that had that key already is joined with it: its number
  /// stands for both.
  mutating func rename(_ old: BudgetKey, to new: BudgetKey) {
    guard let number = self[old] else { return }
    remove(old)
    if self[new] == nil { insert(number, new) }
  }

  /// The row of a budget is gone.
  mutating func remove(_ key: BudgetKey) {
    guard let number = self[key] else { return }
    let pieces = pieces
    index.remove(key) { Self.known($0, in: pieces) }
    set(number, nil)
  }

  private mutating func insert(_ number: Int64, _ key: BudgetKey) {
    set(number, key)
    let pieces = pieces
    index.insert(number) { Self.known($0, in: pieces) }
  }

  private mutating func set(_ number: Int64, _ key: BudgetKey?) {
    let (piece, place) = (number / Self.pieceSize, Int(number % Self.pieceSize))
    pieces[piece, default: [BudgetKey?](repeating: nil, count: Int(Self.pieceSize))][place] = key
    if key == nil, pieces[piece]?.contains(where: { $0 != nil }) == false { pieces[piece] = nil }
  }
}
