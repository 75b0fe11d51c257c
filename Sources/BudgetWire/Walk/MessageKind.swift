/// A request message's kind: which table its fields are judged by.
enum MessageKind: UInt8, CaseIterable, Hashable, Sendable {
  case request
  case filterDeployments
  case deployment
  case recordSpend
  case getProviderBudgets
  case reserveSpend
  case releaseReservation
  case backupLedger
  case authenticate
  case ping
}

extension MethodName {
  /// The kind of the method's message.
  var messageKind: MessageKind {
    switch self {
    // Explained is what would be filtered.
    case .filterDeployments, .explainRequest: .filterDeployments
    case .recordSpend: .recordSpend
    case .getProviderBudgets: .getProviderBudgets
    case .reserveSpend: .reserveSpend
    case .releaseReservation: .releaseReservation
    case .backupLedger: .backupLedger
    case .authenticate: .authenticate
    case .ping: .ping
    }
  }
}
