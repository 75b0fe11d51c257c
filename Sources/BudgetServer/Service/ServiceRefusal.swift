import BudgetWire

/// Why a request was not served: the status that says so. Nothing was applied.
struct ServiceRefusal: Error {
  let status: RPCStatus

  init(_ status: RPCStatus) { self.status = status }

  init(_ code: StatusCode, _ message: String) { status = RPCStatus(code, message) }

  /// So often a request's names are looked up anew where their budgets came and went meanwhile.
  static let mostLookUps = 32

  /// A lane serves others too.
  static let changedMeanwhile = ServiceRefusal(
    .unavailable,
    "the budgets of these names came and went \(mostLookUps) times while they were looked up: nothing "
      + "was applied, try again")
}
