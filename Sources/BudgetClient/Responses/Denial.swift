public import BudgetModel
import BudgetWire

/// One budget that denied one candidate.
public struct Denial: Hashable, Sendable {
  /// The candidate's position, from 0.
  public var position: Int
  /// What the budget applies to; nil: something that this client does not know yet.
  public var scope: BudgetScope?
  /// The budget's name.
  public var name: String
  /// US dollars that were compared with the limit: spent, being recorded, reserved and withheld.
  public var spendUSD: Double
  /// The limit in US dollars.
  public var limitUSD: Double
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// How much of `spendUSD` nobody has spent: other nodes' parts of the limit, while Redis is away.
  public var withheldUSD: Double

  init(_ message: DenialMessage) {
    position = Int(message.position)
    scope = message.scope
    name = message.name
    spendUSD = message.spendUSD
    limitUSD = message.limitUSD
    resetsAtUnixMilliseconds = message.resetsAtUnixMilliseconds
    withheldUSD = message.withheldUSD
  }
}
