public import BudgetModel

/// The state in which the ledger was found when it was opened.
public struct LedgerOpening: Sendable {
  /// Eight hexadecimal digits, made with the database; a copy of the directory has the same.
  public var nodeID: String
  /// This opening's own name, `node id "." 8 hexadecimal digits`; never used again.
  public var origin: String
  /// The names of the last openings before this one; none where the directory may be a copy, since the
  /// other one may be open.
  public var endedOrigins: [String]
  /// The newest window of each budget, open or over, that was not pruned.
  public var windows: [SpentWindow]
  /// Every window that is open: of one budget there are two where a crash came between a window of
  /// the fleet and its adoption.
  public var openWindows: [SpentWindow]
  /// The fleet's windows as they are remembered, with those that have ended within the last hour.
  public var fleet: [FleetWindow]
  /// The sums that reservations of earlier lives keep back: those of them that have not ended.
  public var held: [HeldBudget]
  /// The costs of requests so far, by their kinds.
  public var learned: [LearnedCost]
  /// Alerts that were told in earlier lives.
  public var alerts: [KeptAlert]
  /// Operators' changes, those that are over among them.
  public var changes: [BudgetChange]
  /// The fleet time now: never before a time at which this ledger has recorded.
  public var time: RecoveredTime
  /// Keys that are remembered.
  public var keyCount: Int
  /// Whether the database was made just now.
  public var isNew: Bool
  /// Whether the directory was last used on another machine or is a copy: harmless, worth a log.
  public var wasCopied: Bool
  /// How long opening took.
  public var duration: Duration
}
