/// The methods of the contract, by their field numbers in both envelopes.
public enum MethodName: UInt8, CaseIterable, Hashable, Sendable {
  /// Which candidates are within budget.
  case filterDeployments = 10
  /// Record what a request cost.
  case recordSpend = 11
  /// Where the budgets stand.
  case getProviderBudgets = 12
  /// Hold an amount back.
  case reserveSpend = 13
  /// Give a reservation back.
  case releaseReservation = 14
  /// Copy the ledger.
  case backupLedger = 16
  /// Say who the connection is.
  case authenticate = 20
  /// Who answers, and how it is.
  case ping = 21
  /// What each budget says of a request.
  case explainRequest = 24
}

extension MethodName: CustomStringConvertible {
  /// The method's name in the contract's service, such as `FilterDeployments`.
  public var serviceName: String {
    description.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// The field's name in the envelopes, such as `filter_deployments`.
  public var description: String {
    switch self {
    case .filterDeployments: "filter_deployments"
    case .recordSpend: "record_spend"
    case .getProviderBudgets: "get_provider_budgets"
    case .reserveSpend: "reserve_spend"
    case .releaseReservation: "release_reservation"
    case .backupLedger: "backup_ledger"
    case .authenticate: "authenticate"
    case .ping: "ping"
    case .explainRequest: "explain_request"
    }
  }
}
