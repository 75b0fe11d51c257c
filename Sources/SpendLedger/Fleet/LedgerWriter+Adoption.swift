import BudgetModel

extension LedgerWriter {
  /// Makes windows of the fleet this node's own. Their budgets' balances are brought up to the last
  /// batch in the same transaction; memory and the client follow once it is on disk.
  func adopt(_ adoptions: [FleetAdoption]) -> Result<Void, LedgerError> {
    guard let store, let client else { return .failure(.closed) }
    let now = client.now()
    let numbers = adoptions.map { budgets.number(of: $0.record.window.key) }
    var done: [AdoptionRows] = []
    let failure = attempt(folding: .budgets(numbers), marks: false, at: now) {
      store throws(SQLiteError) in
      for (adoption, budget) in zip(adoptions, numbers) {
        var rows = AdoptionRows(adoption, budget: budget, origin: originID)
        try rows.write(adoption, to: store, bound: settings.totalBound, at: now)
        done.append(rows)
      }
    }
    if let failure { return .failure(failure.ledgerError(path: store.path)) }
    take(done)
    client.adopted(done.map(\.window), at: now)
    return .success(())
  }

  /// The adoption is on disk: memory says the same.
  private func take(_ done: [AdoptionRows]) {
    let moved = Set(
      done.flatMap { adoption in
        adoption.moved.map { BalanceKey(budget: adoption.budget, start: $0) }
      })
    // Untold changes of a window that is gone are void.
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

  /// Keeps operators' changes.
  func keep(_ notes: ChangeNotes) -> Result<Void, LedgerError> {
    guard let store, let client else { return .failure(.closed) }
    let now = client.now()
    let failure = attempt(marks: false, at: now) { store throws(SQLiteError) in
      try notes.write(to: store, at: now)
    }
    return failure.map { .failure($0.ledgerError(path: store.path)) } ?? .success(())
  }

  /// Keeps what is known of the fleet's windows.
  func remember(_ windows: [FleetWindow]) -> Result<Void, LedgerError> {
    guard let store, let client else { return .failure(.closed) }
    let rows = windows.map { FleetRow($0, budget: budgets.number(of: $0.window.key)) }
    let failure = attempt(marks: false, at: client.now()) { store throws(SQLiteError) in
      for row in rows { try store.fleet.set(row) }
    }
    return failure.map { .failure($0.ledgerError(path: store.path)) } ?? .success(())
  }
}
