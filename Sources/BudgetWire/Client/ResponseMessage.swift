/// A response as a client reads it.
public struct ResponseMessage: Hashable, Sendable {
  /// The call it answers; 0 where the server could not read which.
  public var callID: UInt64
  /// How the call ended; nil = OK.
  public var status: RPCStatus?
  /// The method's answer. Beside a status only on `resourceExhausted` from FilterDeployments.
  public var result: Result?

  /// What a method answers.
  public enum Result: Hashable, Sendable {
    /// Which candidates are within budget.
    case filterDeployments(FilterDeploymentsResponse)
    /// The spend is recorded.
    case recordSpend(RecordSpendResponse)
    /// One page of budgets.
    case providerBudgets(GetProviderBudgetsResponse)
    /// What each budget says.
    case explained(ExplainRequestResponse)
    /// Who answers.
    case ping(PingResponse)
    /// The ledger was copied.
    case backupLedger(BackupLedgerResponse)
    /// An answer to a method that this client does not read.
    case later(MethodName)
  }
}
