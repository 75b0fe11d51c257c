import BudgetModel
import BudgetWire
import SpendLedger

/// Why a record added nothing, or may not have; each has its status.
enum RecordRefusal: Equatable {
  /// The key was recorded before with other fields.
  case mismatch
  /// The key is older than what is remembered.
  case tooOld(horizon: Timestamp)
  /// The ledger refused, before anything was written.
  case ledger(LedgerRefusal)
  /// The commit failed: only reading the file again tells.
  case unknown

  /// The status that the client is told.
  var status: RPCStatus {
    switch self {
    case .mismatch:
      RPCStatus(
        .alreadyExists,
        "idempotency_key was used before with other fields: nothing was recorded; make a key for "
          + "each record")
    case .tooOld(let horizon):
      RPCStatus(
        .outOfRange,
        "idempotency_key is from before \(horizon.iso8601), since when keys are remembered: this "
          + "request added nothing, an earlier one with the key may have")
    case .ledger(.failed):
      RPCStatus(.unavailable, "not recorded: \(LedgerRefusal.failed); filtering goes on")
    case .ledger(.closing):
      RPCStatus(
        .unavailable, "not recorded: the server is shutting down; try again, elsewhere or later")
    case .ledger(let refusal):
      RPCStatus(.unavailable, "not recorded: \(refusal); filtering goes on, try again")
    case .unknown:
      RPCStatus(
        .unknown,
        "the commit failed with an I/O error: the spend may or may not be recorded; try again "
          + "with the same idempotency_key")
    }
  }
}
