import BudgetModel

/// What else is asked of the ledger's thread, in the order of the asking.
enum LedgerCommand: Sendable {
  case start(any LedgerClient)
  case rename(from: BudgetKey, to: BudgetKey)
  case opened([BudgetWindow])
  case closed(BudgetKey, Timestamp)
  case settle(reply: Waiting<Bool>)
  case backup(path: String, reply: Waiting<Result<Int64, LedgerError>>)
}
