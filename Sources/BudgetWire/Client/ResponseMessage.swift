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
    /// Who answers.
    case ping(PingResult)
    /// An answer to a method that this client does not read.
    case later(MethodName)
  }
}

/// Why bytes are not taken as a response.
public enum ResponseFault: Error, Hashable, Sendable {
  /// A frame of more bytes than a server may send.
  case frameTooLong(length: Int, bound: Int)
  /// No message of budget.v1, or one that would take more memory than any honest one.
  case malformed
}

extension ResponseFault: CustomStringConvertible {
  /// One sentence.
  public var description: String {
    switch self {
    case .frameTooLong(let length, let bound): "a response of \(length) bytes, at most \(bound)"
    case .malformed: "the response is no message of budget.v1"
    }
  }
}
