import BudgetWire

/// Which candidates are within budget, and which budgets deny the others.
public struct FilterDeploymentsResponse: Hashable, Sendable {
  /// Positions of the allowed among the candidates, from 0, ascending.
  public var allowed: [Int]
  /// Which budget denied which candidate, at most 1,024.
  public var denials: [Denial]
  /// How many denials there were past those.
  public var denialsOmitted: Int
  /// The candidates, where the server supplied them; empty where the request did.
  public var candidates: [Deployment]
  /// Whether there were candidates and every one is over budget (RESOURCE_EXHAUSTED).
  public var isExhausted: Bool
  /// When exhausted: `No deployments available - crossed budget: ` and a sentence per denial, as
  /// LiteLLM says it. Else empty.
  public var message: String

  init(_ result: FilterDeploymentsResult, status: RPCStatus?) {
    allowed = result.allowed.map { Int($0) }
    denials = result.denials.map(Denial.init)
    denialsOmitted = Int(result.denialsOmitted)
    candidates = result.candidates.map(Deployment.init)
    isExhausted = status?.code == .resourceExhausted
    message = status?.message ?? ""
  }
}
