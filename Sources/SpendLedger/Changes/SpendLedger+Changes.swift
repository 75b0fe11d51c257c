public import BudgetModel
import Locks

extension SpendLedger {
  /// One transaction takes so many changes at most: commits of records come in between.
  private static let changeSlice = 500

  /// Keeps operators' changes, lines of the audit and alerts. They are on disk when it returns.
  ///
  /// After an error all of it can be repeated, also the part that was done; lines of the audit would
  /// stand there twice then.
  public func keep(_ notes: ChangeNotes) throws(LedgerError) {
    var rest = notes
    repeat {
      var slice = ChangeNotes()
      slice.changes = Array(rest.changes.prefix(Self.changeSlice))
      rest.changes = Array(rest.changes.dropFirst(Self.changeSlice))
      if rest.changes.isEmpty {
        (slice.forgotten, slice.audit) = (rest.forgotten, rest.audit)
        (slice.alerts, slice.endedAlerts) = (rest.alerts, rest.endedAlerts)
      }
      let reply = Promise<Result<Void, LedgerError>>()
      guard shared.queue.ask(.keep(slice, reply: reply)) else { throw .closed }
      try reply.wait().get()
    } while !rest.changes.isEmpty
  }

  /// The newest lines of the audit before row `id`, nil for the newest of all, that were written at
  /// `since` or later, the newest first. Waits for the ledger's thread.
  public func audit(
    before id: Int64? = nil, since: Timestamp = Timestamp(unixMilliseconds: .min), count: Int
  ) throws(LedgerError) -> [AuditRow] {
    let reply = Promise<Result<[AuditRow], LedgerError>>()
    let question = AuditQuestion(before: id ?? .max, since: since.unixMilliseconds, count: count)
    guard shared.queue.ask(.audit(question, reply: reply)) else { throw .closed }
    return try reply.wait().get()
  }
}

/// Which lines of the audit are asked for.
struct AuditQuestion: Sendable {
  let before: Int64
  let since: Int64
  let count: Int

  func answer(from store: LedgerStore) -> Result<[AuditRow], LedgerError> {
    do throws(SQLiteError) {
      return .success(
        try store.changes.audit(before: before, since: since, count: min(max(count, 0), 1_000)))
    } catch {
      return .failure(error.ledgerError(path: store.path))
    }
  }
}
