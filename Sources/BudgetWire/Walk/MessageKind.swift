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
