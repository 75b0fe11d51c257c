public import BudgetModel

/// The caller, as the ledger asks and tells it. Every call comes on the ledger's own thread, one at
/// a time, and holds up the next commit: answer quickly, and never call back into the ledger's
/// waiting calls (`start`, `backup`, `close`).
public protocol LedgerClient: Sendable {
  /// The fleet time: read once per batch. Must not run backwards.
  func now() -> Timestamp

  /// Appends to `windows`, for each of `slots` in order, the window that a charge at `now` is
  /// counted in: the one that is open, or else the one that the charge opens. Slots are distinct.
  func label(_ slots: [Int32], at now: Timestamp, into windows: inout [BudgetWindow])

  /// Tells the outcomes of a batch, after its commit: now is the time to turn pending amounts into
  /// spend and to send the replies. Records whose outcome is `unknown` stay pending until
  /// `resolved`.
  func finished(_ batch: LedgerBatch)

  /// Tells what the file says of a batch with `unknown` outcomes, once it was read again: those are
  /// now `recorded`, `duplicate` or `notRecorded`, the others as `finished` told them. Their
  /// replies have been sent. Never called when the ledger fails for good.
  func resolved(_ batch: LedgerBatch)

  /// Tells windows of the fleet that are this node's own from now on, once that is on disk: records
  /// are to be labelled with them. No batch is between its labels and its outcomes.
  func adopted(_ windows: [AdoptedWindow], at now: Timestamp)

  /// The places that budgets have in the configuration in force, in order: how long their windows
  /// are remembered.
  func places(of budgets: [BudgetKey]) -> [BudgetPlace]

  /// Something that people should know.
  func report(_ event: LedgerEvent)
}
