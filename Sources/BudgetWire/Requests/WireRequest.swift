/// A request as it lies in the decoder's arena. Valid only within the call that passed it.
public struct WireRequest {
  /// Names the call; from 1, and 0 for an empty frame only.
  public let callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public let timeoutMilliseconds: UInt32
  /// What is asked.
  public let method: WireMethod
}

/// What a request asks, with a view of its fields.
public enum WireMethod {
  /// Which candidates are within budget.
  case filterDeployments(FilterDeploymentsView)
  /// Record what a request cost.
  case recordSpend(RecordSpendView)
  /// Where the budgets stand.
  case getProviderBudgets(GetProviderBudgetsView)
  /// Who answers.
  case ping
  /// A method of the contract that this build does not have: UNIMPLEMENTED.
  case later(MethodName)
  /// No method, or one of a later contract: UNIMPLEMENTED.
  case none
}
