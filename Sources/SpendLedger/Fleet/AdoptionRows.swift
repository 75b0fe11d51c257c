import BudgetModel

/// The rows that an adoption's transaction writes for one budget.
struct AdoptionRows {
  let budget: Int64
  /// This life.
  private let origin: Int64
  private(set) var window: AdoptedWindow
  /// All of the window's rows, those that ended, and the starts that are gone.
  private(set) var rows: [BalanceRow] = []
  private(set) var closed: [BalanceRow] = []
  private(set) var moved: [Int64] = []

  init(_ adoption: FleetAdoption, budget: Int64, origin: Int64) {
    self.budget = budget
    self.origin = origin
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
    // Done again after a failed commit, the amount is there already.
    if let reset = adoption.reset, amounts.isEmpty { amounts[origin] = reset.amount }
    window.spent.spend = amounts.values.reduce(.zero, +)
    moved = moving.sorted()
    for (origin, amount) in amounts.sorted(by: { $0.key < $1.key }) {
      let end = adoption.record.window.end.unixMilliseconds
      let row = BalanceRow(key: key, end: end, origin: origin, amount: amount)
      try store.statements.setBalance(row)
      rows.append(row)
    }
    guard let reset = adoption.reset else {
      for old in closing.sorted() { try close(start: old, at: now.unixMilliseconds, store) }
      return try store.fleet.set(FleetRow(adoption.record, budget: budget))
    }
    try end(adoption, before: start, store)
    if reset.isInFleet { try store.fleet.set(FleetRow(adoption.record, budget: budget)) }
    try reset.notes.write(to: store, at: now)
  }

  /// Every window that began before `start` and has not ended ends there.
  private mutating func end(
    _ adoption: FleetAdoption, before start: Int64, _ store: LedgerStore
  ) throws(SQLiteError) {
    let key = adoption.record.window.key
    let starts = WindowSearch.starts(of: key, endingFrom: start)
    var open = Set(
      try store.fleet.balances(ofBudget: budget, openedIn: starts)
        .filter { $0.key.start < start && $0.end >= start }.map(\.key.start))
    for row in try store.fleet.rows(ofBudget: budget) where row.start < start && row.end >= start {
      open.insert(row.start)
    }
    for old in open.sorted() { try close(start: old, at: start - 1, store) }
    // The history has what the fleet had spent, and nobody hears of it any more.
    for old in adoption.closing {
      let old = old.unixMilliseconds
      guard let row = try store.fleet.row(budget: budget, start: old),
        var closed = row.window(of: key), let others = adoption.reset?.others
      else { continue }
      closed.total += max(.zero, others - closed.others)
      try store.fleet.set(FleetRow(closed, budget: budget))
    }
    window.replaced += open.map { Timestamp(unixMilliseconds: $0) }
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
