import BudgetModel

extension LedgerWriter {
  /// A slice of pruning: one block of budgets. Rows of windows that ended long ago go, and then
  /// rows of budgets that have no window left; memory lets go of windows that are over.
  ///
  /// A budget without a window's row is one that nothing names any more: balances that memory alone
  /// holds are folded in the same transaction, batches that are not folded make their block a dirty
  /// one, and windows of the fleet have rows of their own. Charged again, it gets another number.
  func prune(at now: Timestamp) {
    guard let store else { return }
    let instant = SystemCalls.monotonicNanoseconds()
    do throws(SQLiteError) {
      let from = pruning ?? .min
      guard let first = try store.statements.budget(from: from) else {
        pruning = nil
        return schedule.pruned(isLast: true, at: instant)
      }
      let block = FoldQueue.block(of: first)
      guard try prune(FoldQueue.budgets(inBlock: block), of: store, at: now) else {
        pruning = first
        return schedule.pruningFailed(at: instant)
      }
      pruning = FoldQueue.budgets(inBlock: block).upperBound + 1
      schedule.pruned(isLast: false, at: SystemCalls.monotonicNanoseconds())
    } catch {
      schedule.pruningFailed(at: instant)
      refused(error)
    }
  }

  /// Writes nothing where nothing has to go.
  private func prune(
    _ numbers: ClosedRange<Int64>, of store: LedgerStore, at now: Timestamp
  ) throws(SQLiteError) -> Bool {
    let old = try store.history.old(numbers, settings, client, at: now)
    let hasEmpty = try !store.statements.budgetsWithoutWindows(of: numbers).isEmpty
    var gone: [Int64] = []
    if !old.isEmpty || hasEmpty {
      let isDone = write(folding: .budgets([numbers.lowerBound]), marks: false, at: now) {
        store throws(SQLiteError) in
        for windows in old { try store.history.prune(windows) }
        gone = try store.statements.budgetsWithoutWindows(of: numbers)
        for id in gone { try store.statements.deleteBudget(id: id) }
      }
      guard isDone else { return false }
      shared.withStatus { $0.counters.prunedBlocks += 1 }
    }
    balances.dropEnded(
      inBlock: FoldQueue.block(of: numbers.lowerBound), before: now.unixMilliseconds)
    guard !gone.isEmpty else { return true }
    for id in gone {
      balances.drop(balances.places(ofBudget: id))
      if let key = budgets.key(of: id) { budgets.remove(key) }
    }
    return true
  }
}
