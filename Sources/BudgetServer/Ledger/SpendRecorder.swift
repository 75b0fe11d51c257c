import BudgetEngine
import BudgetModel
import SpendLedger

/// What the request path asks of whoever keeps spend.
protocol SpendRecorder: Sendable {
  /// Takes a cost that is to be charged in full to `charged`. `token` says where the reply goes,
  /// where it comes later. Never waits.
  func record(
    _ amount: PicoUSD, key: RecordKey?, to charged: ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer

  /// A record with this digest of its key comes in a moment. A hint: it changes nothing.
  func expect(_ key: UInt128)

  /// Copies the ledger to a file of that name and answers to `token` when that is done; empty: a name
  /// made of the date. Never waits.
  func backUp(named name: String, token: LedgerToken)

  /// What Ping says of the keeping of spend.
  func standing(at now: Timestamp) -> RecorderStanding
}

/// What became of a record at once.
enum RecordAnswer: Equatable {
  /// The reply comes when the ledger has committed.
  case deferred
  /// It counts from now on.
  case recorded
  /// Its key was seen before with the same fields: nothing was added.
  case duplicate
  /// Definitely nothing was added.
  case refused(RecordRefusal)
}

/// How spend is kept, for Ping.
struct RecorderStanding {
  /// `commit` or `memory`.
  var durability: String
  /// Why nothing can be recorded now; nil: it can.
  var notReadyReason: String?
  /// Keys made before this may have been forgotten.
  var idempotencyHorizon: Timestamp
}
