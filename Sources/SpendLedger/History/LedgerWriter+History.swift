import BudgetModel

extension LedgerWriter {
  /// The windows of budgets and their spend, each budget's newest first: committed totals only.
  func history(_ questions: [HistoryQuestion]) -> Result<[[PastWindow]], LedgerError> {
    guard let store else { return .failure(.closed) }
    return HistoryReading(store: store, origin: originID, balances: balances)
      .answers(to: questions) { budgets[$0] }
  }

  /// Notes limits that are others than those noted last. Rows that have changed since they were
  /// written are replaced: nobody's money depends on them.
  func note(_ notes: LimitNotes, _ command: LedgerCommand) {
    guard let store else { return }
    do throws(SQLiteError) {
      let changes = try notes.changes(in: store.limits, budgets, settings)
      let isDone = changes.isEmpty || write(marks: false, at: notes.now, also: changes.write)
      if !isDone, self.store != nil { postponed.append(command) }
      guard isDone, !changes.damaged.isEmpty else { return }
      client?.report(.limitsReplaced(changes.damaged.map(\.description)))
    } catch {
      postponed.append(command)
      refused(error)
    }
  }
}
