import BudgetWire

/// The methods that requests are counted under: those of the contract, and one for what has none.
enum CountedMethod {
  /// Requests whose method could not be read, or that have none.
  static let unknown = 0
  /// How many there are.
  static let count = MethodName.allCases.count + 1
  /// Their names in the contract's service, by position.
  static let names =
    ["_unknown"]
    + MethodName.allCases.map(\.serviceName)
  /// Those that this build answers.
  static let served: [Int] = [
    position(of: .filterDeployments), position(of: .recordSpend),
    position(of: .getProviderBudgets), position(of: .backupLedger), position(of: .ping),
    position(of: .explainRequest),
  ]

  /// A method's position.
  @inline(__always)
  static func position(of method: MethodName) -> Int {
    switch method {
    case .filterDeployments: 1
    case .recordSpend: 2
    case .getProviderBudgets: 3
    case .reserveSpend: 4
    case .releaseReservation: 5
    case .backupLedger: 6
    case .authenticate: 7
    case .ping: 8
    case .explainRequest: 9
    }
  }
}
