import BudgetWire

/// Why a request was not served: the status that says so. Nothing was applied.
struct ServiceRefusal: Error {
  let status: RPCStatus

  init(_ status: RPCStatus) { self.status = status }

  init(_ code: StatusCode, _ message: String) { status = RPCStatus(code, message) }
}
