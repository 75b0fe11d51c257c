/// What a request asks, with a view of its fields.
public enum WireMethod {
  /// Which candidates are within budget.
  case filterDeployments(FilterDeploymentsView)
  /// Record what a request cost.
  case recordSpend(RecordSpendView)
  /// Where the budgets stand.
  case getProviderBudgets(GetProviderBudgetsView)
  /// What each budget says of a request.
  case explainRequest(FilterDeploymentsView)
  /// Who answers.
  case ping
  /// Copy the ledger to a file.
  case backupLedger(BackupLedgerView)
  /// A method of the contract that this build does not have: UNIMPLEMENTED.
  case later(MethodName)
  /// No method, or one of a later contract: UNIMPLEMENTED.
  case none
}
