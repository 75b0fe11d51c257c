import BudgetModel

extension LedgerWriter {
  private static let restart = "Restart budgetd"

  /// A transaction was definitely refused: the next one tries again, unless the file is damaged.
  func refused(_ error: SQLiteError) {
    if error.isFilesGone || hasFailed { return }
    if error.isDamage {
      return fail(
        "the ledger's database is damaged: \(error.text). Restart budgetd, and restore a backup "
          + "where it then refuses the file")
    }
    setState(.refusing(reason: error.text))
    if store?.connection.isInTransaction == true { reopen(after: error, doubt: nil) }
  }

  /// Asks for `reopenIfAsked`. Not done here: whoever calls may hold the store, and the file must
  /// be closed before it is opened again.
  func reopen(after error: SQLiteError, doubt: Doubt?) { reopening = (error, doubt) }

  /// Closes the file and reads it again: after a failed commit only the file knows what it holds,
  /// and a connection that has seen one fsync fail is not asked for another.
  func reopenIfAsked() {
    // A file that is not in its place cannot be read again: it waits until it is, if ever.
    guard let (error, doubt) = reopening, lossBeforeWriting() == nil else { return }
    reopening = nil
    defer { log.forgetting = nil }
    guard schedule.mayFail(at: SystemCalls.monotonicNanoseconds()) else {
      return fail("the ledger's storage failed again: \(error.text). \(Self.restart)")
    }
    setState(.refusing(reason: "the ledger reads its file again: \(error.text)"))
    let noted = balances.entries.filter { $0.isDirty }
    let names = budgets
    let expected = log.keyCount
    endCopying(.backup("the ledger reads its file again: try again"))
    store = nil
    let opened: OpenedLedger
    do throws(LedgerError) {
      opened = try OpenedLedger.open(
        path: directory.realDatabasePath, settings: settings, mayCreate: false,
        reading: .init(wanted: doubt?.id, keyBound: .max)
      ) { [shared] keys in shared.keys.restore(keys) }
    } catch {
      return fail("the ledger could not be read again: \(error). \(Self.restart)")
    }
    let wasRecorded = doubt.map { $0.digest == opened.reading.wantedDigest }
    let added = wasRecorded == true ? doubt?.keys.count ?? 0 : 0
    let found = opened.reading.keyCount
    let forgotten = log.forgetting?.keys.count ?? 0
    // A batch takes along what it forgets: both are there, or neither.
    let areForgotten = wasRecorded != false && found == expected + added - forgotten
    guard areForgotten || wasRecorded != true && found == expected else {
      return fail(
        "the ledger's file holds \(found) keys where \(expected + added) were recorded. "
          + Self.restart)
    }
    guard files.reopened() else {
      return fail(
        "\(directory.databasePath) was replaced while the ledger read it again. \(Self.restart)")
    }
    adopt(opened)
    if let doubt, wasRecorded != true { keysAhead.drop(batch: doubt.id) }
    if areForgotten, let forgetting = log.forgetting, let client {
      removeKeys(of: forgetting, at: client.now())
    }
    noteAgain(noted, names)
    for key in doubt?.keys ?? [] {
      if wasRecorded == true { shared.keys.settle(key) } else { shared.keys.remove(key) }
    }
    shared.withStatus { $0.counters.reopenings += 1 }
    client?.report(.reopened(origin: opened.origin, batchWasRecorded: wasRecorded))
    if let doubt, let wasRecorded {
      client?.resolved(
        doubt.batch.resolved(
          asRecorded: wasRecorded, followers: doubt.followers, refusal: error.refusal))
    }
    setState(.ready)
  }

  /// Windows that were noted and not yet folded are noted again, under the new origin.
  private func noteAgain(_ noted: [Balances.Entry], _ names: BudgetNumbers) {
    for entry in noted {
      guard let key = names.key(of: entry.key.budget) else { continue }
      let balance = BalanceKey(budget: budgets.number(of: key), start: entry.key.start)
      guard balances.place(of: balance) == nil else { continue }
      let place = balances.add(Balances.Entry(key: balance, end: entry.end, amount: .zero))
      balances.keep(place)
    }
  }
}
