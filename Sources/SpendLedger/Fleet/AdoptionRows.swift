import BudgetModel

/// The rows that an adoption's transaction writes for one budget.
struct AdoptionRows {
  let budget: Int64
  private(set) var window: AdoptedWindow
  /// All of the window's rows, those that ended, and the starts that are gone.
  private(set) var rows: [BalanceRow] = []
  private(set) var closed: [BalanceRow] = []
  private(set) var moved: [Int64] = []

  init(_ adoption: FleetAdoption, budget: Int64) {
    self.budget = budget
    window = AdoptedWindow(
      spent: SpentWindow(window: adoption.record.window, spend: .zero),
      others: adoption.record.others, replaced: adoption.moving + adoption.closing)
  }

  /// Moves what stands in the windows of this node's own, whose rows hold all batches. `bound`: the
  /// most that a window may hold.
  mutating func write(
    _ adoption: FleetAdoption, to store: LedgerStore, bound: PicoUSD, at now: Timestamp
  ) throws(SQLiteError) {
    let start = adoption.record.window.start.unixMilliseconds
    let key = BalanceKey(budget: budget, start: start)
    let moving = Set(adoption.moving.map(\.unixMilliseconds)).subtracting([start])
    let closing = Set(adoption.closing.map(\.unixMilliseconds)).subtracting(moving)
      .subtracting([start])
    var amounts: [Int64: PicoUSD] = [:]
    for row in try store.fleet.balances(ofBudget: budget, openedIn: start...start) {
      amounts[row.origin] = row.amount
    }
    for old in moving.sorted() {
      for row in try store.fleet.balances(ofBudget: budget, openedIn: old...old) {
        let sum = (amounts[row.origin] ?? .zero) + row.amount
        guard sum <= bound else { throw .totalTooLarge }
        amounts[row.origin] = sum
        try store.statements.deleteBalance(row.key, origin: row.origin)
      }
      try store.fleet.delete(budget: budget, start: old)
    }
    window.spent.spend = amounts.values.reduce(.zero, +)
    moved = moving.sorted()
    for (origin, amount) in amounts.sorted(by: { $0.key < $1.key }) {
      let end = adoption.record.window.end.unixMilliseconds
      let row = BalanceRow(key: key, end: end, origin: origin, amount: amount)
      try store.statements.setBalance(row)
      rows.append(row)
    }
    for old in closing.sorted() { try close(start: old, at: now.unixMilliseconds, store) }
    try store.fleet.set(FleetRow(adoption.record, budget: budget))
  }

  private mutating func close(
    start: Int64, at now: Int64, _ store: LedgerStore
  ) throws(SQLiteError) {
    for var row in try store.fleet.balances(ofBudget: budget, openedIn: start...start)
    where row.end > now {
      row.end = now
      try store.statements.setBalance(row)
      closed.append(row)
    }
    if var row = try store.fleet.row(budget: budget, start: start), row.end > now {
      row.end = now
      try store.fleet.set(row)
    }
  }
}
