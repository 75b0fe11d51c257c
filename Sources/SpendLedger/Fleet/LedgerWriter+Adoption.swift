import BudgetModel

extension LedgerWriter {
  /// What an adoption's transaction has done to one budget.
  private struct Adoption {
    var budget: Int64
    var window: AdoptedWindow
    /// All of the window's rows, those that ended, and the starts that are gone.
    var rows: [BalanceRow] = []
    var closed: [BalanceRow] = []
    var moved: [Int64] = []
  }

  /// Makes windows of the fleet this node's own. Balances are brought up to the last batch in the
  /// same transaction; memory and the client follow once it is on disk.
  func adopt(_ adoptions: [FleetAdoption]) -> Result<Void, LedgerError> {
    guard let store, let client else { return .failure(.closed) }
    let now = client.now()
    let budgets = adoptions.map { budgetID(of: $0.record.window.key) }
    var done: [Adoption] = []
    let failure = attempt(folds: true, marks: false, at: now) { store throws(SQLiteError) in
      for (adoption, budget) in zip(adoptions, budgets) {
        done.append(try write(adoption, budget: budget, at: now, store))
      }
    }
    if let failure { return .failure(failure.ledgerError(path: store.path)) }
    take(done)
    client.adopted(done.map(\.window), at: now)
    return .success(())
  }

  private func write(
    _ adoption: FleetAdoption, budget: Int64, at now: Timestamp, _ store: LedgerStore
  ) throws(SQLiteError) -> Adoption {
    let window = adoption.record.window
    let start = window.start.unixMilliseconds
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
        guard sum <= settings.totalBound else { throw .totalTooLarge }
        amounts[row.origin] = sum
        try store.statements.deleteBalance(row.key, origin: row.origin)
      }
      try store.fleet.delete(budget: budget, start: old)
    }
    var done = Adoption(
      budget: budget,
      window: AdoptedWindow(
        spent: SpentWindow(window: window, spend: amounts.values.reduce(.zero, +)),
        others: adoption.record.others,
        replaced: adoption.moving + adoption.closing),
      moved: moving.sorted())
    for (origin, amount) in amounts.sorted(by: { $0.key < $1.key }) {
      let row = BalanceRow(
        key: key, end: window.end.unixMilliseconds, origin: origin, amount: amount)
      try store.statements.setBalance(row)
      done.rows.append(row)
    }
    for old in closing.sorted() {
      done.closed += try close(budget: budget, start: old, at: now.unixMilliseconds, store)
    }
    try store.fleet.set(FleetRow(adoption.record, budget: budget))
    return done
  }

  private func close(
    budget: Int64, start: Int64, at now: Int64, _ store: LedgerStore
  ) throws(SQLiteError) -> [BalanceRow] {
    var closed: [BalanceRow] = []
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
    return closed
  }

  /// What was adopted is on disk: memory says the same.
  private func take(_ done: [Adoption]) {
    // Places may be void, and windows have other ends.
    labels.removeAll(keepingCapacity: true)
    let moved = Set(
      done.flatMap { adoption in
        adoption.moved.map { BalanceKey(budget: adoption.budget, start: $0) }
      })
    // What was to be told of a window that is not there any more is void.
    otherTotals.removeAll { moved.contains($0.key) }
    for adoption in done {
      for row in adoption.rows + adoption.closed {
        if row.origin == originID {
          balances.take(row)
        } else if balances.isCollecting {
          otherTotals.append(row)
        }
      }
    }
    balances.drop(moved.compactMap { balances.place(of: $0) })
  }

  /// Keeps what is known of the fleet's windows.
  func remember(_ windows: [FleetWindow]) -> Result<Void, LedgerError> {
    guard let store, let client else { return .failure(.closed) }
    let rows = windows.map { FleetRow($0, budget: budgetID(of: $0.window.key)) }
    let failure = attempt(
      folds: !unwrittenBudgets.isEmpty, marks: false, at: client.now()
    ) { store throws(SQLiteError) in
      for row in rows { try store.fleet.set(row) }
    }
    return failure.map { .failure($0.ledgerError(path: store.path)) } ?? .success(())
  }
}
