import BudgetModel

/// The numbers by which rows name budgets. A new budget gets its row with the next transaction.
struct BudgetNumbers {
  private var numbers: [BudgetKey: Int64]
  /// The same the other way round, made when it is first asked for.
  private var names: [Int64: BudgetKey]?
  private var next: Int64
  /// Budgets that have a number and no row yet.
  private(set) var unwritten: [(number: Int64, key: BudgetKey)] = []

  /// `rows`: the budgets of the database, by their numbers.
  init(_ rows: [Int64: BudgetKey] = [:]) {
    numbers = Dictionary(rows.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    next = (rows.keys.max() ?? 0) + 1
  }

  /// The number of a budget that is known.
  subscript(key: BudgetKey) -> Int64? { numbers[key] }

  /// The number of a budget, a new one where it is not known.
  mutating func number(of key: BudgetKey) -> Int64 {
    if let number = numbers[key] { return number }
    let number = next
    next += 1
    numbers[key] = number
    names?[number] = key
    unwritten.append((number, key))
    return number
  }

  /// The budgets by their numbers.
  mutating func byNumber() -> [Int64: BudgetKey] {
    if let names { return names }
    let made = Dictionary(
      numbers.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    names = made
    return made
  }

  func isUnwritten(_ number: Int64) -> Bool { unwritten.contains { $0.number == number } }

  /// All budgets have their rows.
  mutating func written() { unwritten.removeAll() }

  /// A budget goes by another key. One that had that key already is joined with it: its number
  /// stands for both.
  mutating func rename(_ old: BudgetKey, to new: BudgetKey) {
    guard let number = numbers.removeValue(forKey: old) else { return }
    names?[number] = nil
    if numbers[new] != nil { return }
    numbers[new] = number
    names?[number] = new
  }

  /// The row of a budget is gone.
  mutating func remove(_ key: BudgetKey) {
    if let number = numbers.removeValue(forKey: key) { names?[number] = nil }
  }
}
