import BudgetModel

/// The numbers by which rows name budgets. A new budget gets its row with the next transaction.
///
/// Some 30 bytes a budget, and its name's.
struct BudgetNumbers {
  /// The keys of so many numbers are a piece, which goes when none of them is used any more.
  private static let pieceSize: Int64 = 256

  private var pieces: [Int64: [BudgetKeyPool.Key?]] = [:]
  private var pool = BudgetKeyPool()
  private var index = BudgetKeyIndex()
  private var next: Int64 = 1
  /// Budgets that have a number and no row yet.
  private(set) var unwritten: [(number: Int64, key: BudgetKey)] = []

  /// `rows`: the budgets of the database, by their numbers.
  init(_ rows: [Int64: BudgetKey] = [:]) {
    index.reserve(rows.count)
    for (number, key) in rows where number >= 0 {
      next = max(next, number + 1)
      if self[key] == nil { insert(number, key) }
    }
  }

  /// The number of a budget that is known.
  subscript(key: BudgetKey) -> Int64? {
    guard let hash = pool.hash(of: key) else { return nil }
    return index.number(hash: hash) { isKey(key, of: $0) }
  }

  /// The budget that goes by `number`; nil: there is none.
  func key(of number: Int64) -> BudgetKey? { short(number).map { pool[$0] } }

  /// Whether the budget that goes by `number` is `key`.
  func isKey(_ key: BudgetKey, of number: Int64) -> Bool {
    short(number).map { pool.isEqual($0, key) } ?? false
  }

  private func short(_ number: Int64) -> BudgetKeyPool.Key? {
    guard number >= 0 else { return nil }
    return pieces[number / Self.pieceSize]?[Int(number % Self.pieceSize)]
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
    guard let number = self[key], let short = short(number) else { return }
    let (pieces, keys) = (pieces, pool)
    index.remove(number, hash: pool.hash(of: short)) { Self.hash(of: $0, pieces, keys) }
    pool.remove(short)
    set(number, nil)
    if pool.isWasteful { moveNames() }
  }

  private mutating func insert(_ number: Int64, _ key: BudgetKey) {
    let short = pool.add(key)
    set(number, short)
    let (pieces, keys) = (pieces, pool)
    index.insert(number, hash: pool.hash(of: short)) { Self.hash(of: $0, pieces, keys) }
  }

  private static func hash(
    of number: Int64, _ pieces: [Int64: [BudgetKeyPool.Key?]], _ pool: BudgetKeyPool
  ) -> UInt64 {
    guard let short = pieces[number / pieceSize]?[Int(number % pieceSize)] else {
      preconditionFailure("a number without its key")
    }
    return pool.hash(of: short)
  }

  private mutating func set(_ number: Int64, _ key: BudgetKeyPool.Key?) {
    let (piece, place) = (number / Self.pieceSize, Int(number % Self.pieceSize))
    pieces[piece, default: .init(repeating: nil, count: Int(Self.pieceSize))][place] = key
    if key == nil, pieces[piece]?.contains(where: { $0 != nil }) == false { pieces[piece] = nil }
  }

  /// Keeps the names that are in use only.
  private mutating func moveNames() {
    var kept = pool.emptied()
    for piece in Array(pieces.keys) {
      for place in 0..<Int(Self.pieceSize) {
        guard let short = pieces[piece]?[place] else { continue }
        pieces[piece]?[place] = kept.take(short, from: pool)
      }
    }
    pool = kept
  }
}
