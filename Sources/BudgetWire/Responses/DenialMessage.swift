public import BudgetModel

/// One budget that denied one candidate, as a client reads it.
public struct DenialMessage: Hashable, Sendable {
  /// The candidate's position.
  public var position: UInt32
  /// What the budget applies to; nil for a scope of a later contract.
  public var scope: BudgetScope?
  /// The budget's name.
  public var name: String
  /// US dollars that were compared with the limit.
  public var spendUSD: Double
  /// The limit in US dollars.
  public var limitUSD: Double
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// How much of `spendUSD` nobody has spent: an outage policy withholds it.
  public var withheldUSD: Double = 0
}
