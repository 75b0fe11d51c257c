import BudgetModel
import Locks

/// A request to the ledger's thread other than a record, in the order of the asking.
enum LedgerCommand: Sendable {
  case start(any LedgerClient)
  case rename(from: BudgetKey, to: BudgetKey)
  case opened([BudgetWindow])
  case closed(BudgetKey, Timestamp)
  case limits(LimitNotes)
  case held([HeldBudget])
  case learned([LearnedCost])
  case settle(reply: Promise<Bool>)
  /// The thread says that it goes round.
  case answer(@Sendable () -> Void)
  case changes(reply: Promise<Result<LedgerChanges, LedgerError>>)
  case adopt([FleetAdoption], reply: Promise<Result<Void, LedgerError>>)
  case remember([FleetWindow], reply: Promise<Result<Void, LedgerError>>)
  case history([HistoryQuestion], reply: Promise<Result<[[PastWindow]], LedgerError>>)
  case keep(ChangeNotes, reply: Promise<Result<Void, LedgerError>>)
  case audit(AuditQuestion, reply: Promise<Result<[AuditRow], LedgerError>>)
  case backup(BackupDraft, reply: Promise<LedgerError?>)

  /// Whether it only tells something: nobody waits for it.
  var isNote: Bool {
    switch self {
    case .opened, .closed, .rename, .limits, .held, .learned: true
    case .start, .settle, .answer, .changes, .adopt, .remember, .history, .keep, .audit, .backup:
      false
    }
  }

  /// Whether it asks for what was recorded before it: the records that were taken with it come
  /// first.
  var followsRecords: Bool {
    switch self {
    case .settle, .changes, .adopt, .remember, .history, .held, .learned: true
    case .start, .answer, .rename, .opened, .closed, .limits, .keep, .audit, .backup: false
    }
  }
}
