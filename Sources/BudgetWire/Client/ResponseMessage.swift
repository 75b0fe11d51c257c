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
    case filterDeployments(FilterDeploymentsResult)
    /// The spend is recorded.
    case recordSpend(RecordSpendResult)
    /// One page of budgets.
    case providerBudgets(ProviderBudgetsResult)
    /// What each budget says.
    case explained(ExplainResult)
    /// Who answers.
    case ping(PingResult)
    /// The ledger was copied: how many bytes the copy has, and where it is on the server's disk;
    /// empty from servers before 0.3.0.
    case backupLedger(bytes: UInt64, path: String)
    /// An answer to a method that this client does not read.
    case later(MethodName)
  }
}
