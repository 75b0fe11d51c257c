import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

/// The keeper of spend, as the request path sees it.
protocol SpendRecorder: AnyObject, Sendable {
  /// Takes a cost that is to be charged in full to `charged`. `token` says where the reply goes,
  /// where it comes later. Never waits.
  func record(
    _ amount: PicoUSD, key: RecordKey?, to charged: borrowing ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer

  /// As `record` of one that settles a reservation.
  func settle(
    _ record: SettlingRecord, to charged: borrowing ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer

  /// A record with this digest of its key comes in a moment. A hint: it changes nothing.
  func expect(_ key: UInt128)

  /// Copies the ledger to a file of that name and answers to `token` when that is done; empty: a name
  /// made of the date. Never waits. `note` is told why it was refused, nil: it was not.
  func backUp(
    named name: String, token: LedgerToken, note: @escaping @Sendable (RPCStatus?) -> Void)

  /// Answers to `token` with what a budget's windows held, when the ledger has told it. Never waits;
  /// false: too many such questions wait already.
  func tellHistory(_ page: HistoryPage, token: LedgerToken) -> Bool

  /// Answers a question that takes too long for a lane, in turn with those about history: `answer`
  /// appends the reply to a call's id and says how it was answered. Never waits; false: too many such
  /// questions wait already.
  func answerLater(
    _ method: MethodName, token: LedgerToken,
    _ answer: @escaping @Sendable (UInt64, inout [UInt8]) -> StatusCode
  ) -> Bool

  /// The outcomes of costs so far.
  var totals: SpendTotals { get }

  /// The state of the keeping of spend, for Ping.
  func standing(at now: Timestamp) -> RecorderStanding
}

/// A cost that ends a reservation.
struct SettlingRecord {
  var amount: PicoUSD
  var key: RecordKey?
  /// Whether the key was made of the reservation's name, since the request has none: the same cost again
  /// is a duplicate, another one is recorded in full.
  var isKeyImplied: Bool
  var reservation: ReservationID
}

/// The outcome of a record, as far as it is known at once.
enum RecordAnswer: Equatable {
  /// The reply comes when the ledger has committed.
  case deferred
  /// It counts from now on.
  case recorded
  /// Its key was seen before with the same fields: nothing was added.
  case duplicate
  /// Nothing was added: a dynamic budget was lost, or the configuration changed, since the names were
  /// looked up. They are to be looked up anew.
  case outdated
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
