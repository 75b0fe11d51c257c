import BudgetModel

/// The sums that reservations keep back and the costs that requests have had, as they are to be written
/// with the next transaction: of each budget and kind the last word.
struct HeldRows {
  private var waiting: [BudgetKey: [HeldSum]] = [:]
  private var learned: [UInt128: LearnedCost] = [:]
  /// The same by number, while a transaction is under way.
  private var rows: [(budget: Int64, sums: [HeldSum])] = []
  /// Since when the oldest waits, as an instant of monotonic time in nanoseconds; nil: nothing does.
  private(set) var since: Int64?

  mutating func note(_ budgets: [HeldBudget], at now: Int64) {
    for held in budgets { waiting[held.key] = held.sums }
    if since == nil, !waiting.isEmpty { since = now }
  }

  mutating func note(_ costs: [LearnedCost], at now: Int64) {
    for cost in costs { learned[cost.key] = cost }
    if since == nil, !learned.isEmpty { since = now }
  }

  /// Finds the budgets' numbers, new ones where they are not known: their rows are to be written
  /// first.
  mutating func begin(_ numbers: inout BudgetNumbers) {
    rows.removeAll()
    for (key, sums) in waiting where !sums.isEmpty || numbers[key] != nil {
      rows.append((numbers.number(of: key), sums))
    }
  }

  func write(to store: LedgerStore) throws(SQLiteError) {
    for row in rows { try store.held.replace(row.sums, ofBudget: row.budget) }
    for cost in learned.values {
      try store.statements.setMeta(LedgerMeta.name(of: cost), LedgerMeta.text(cost))
    }
  }

  /// The transaction is on disk.
  mutating func written() {
    waiting.removeAll()
    learned.removeAll()
    rows.removeAll()
    since = nil
  }
}
