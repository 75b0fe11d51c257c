import BudgetWire

/// The methods that requests are counted under: those of the contract, at their positions there, and
/// one for requests without a method.
enum CountedMethod {
  /// Requests whose method could not be read, or that have none.
  static let unknown = 0
  /// How many there are.
  static let count = MethodName.allCases.count + 1
  /// Their names in the contract's service, by position.
  static let names = ["_unknown"] + MethodName.allCases.map(\.serviceName)
  /// Those that have a name.
  static let served = MethodName.allCases.map(\.position)
}
