import BudgetWire

/// Where one budget stands.
public struct Budget: Hashable, Sendable {
  /// The provider's, deployment's or tag's name.
  public var name: String
  /// US dollars that may be spent in one window; nil = no limit.
  public var limitUSD: Double?
  /// The window's length as configured, such as `7d`.
  public var timePeriod: String
  /// US dollars spent in the open window.
  public var spendUSD: Double
  /// US dollars left, negative once overshot; nil = no limit.
  public var remainingUSD: Double?
  /// US dollars that reservations hold.
  public var reservedUSD: Double
  /// Whether the budget denies now.
  public var isExhausted: Bool
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?

  /// A budget of this name without limit, spend and window; set what else is known.
  public init(name: String, timePeriod: String) {
    self.name = name
    self.timePeriod = timePeriod
    spendUSD = 0
    reservedUSD = 0
    isExhausted = false
  }

  init(_ message: BudgetMessage) {
    name = message.name
    limitUSD = message.limitUSD
    timePeriod = message.timePeriod
    spendUSD = message.spendUSD
    remainingUSD = message.remainingUSD
    reservedUSD = message.reservedUSD
    isExhausted = message.isExhausted
    resetsAtUnixMilliseconds = message.resetsAtUnixMilliseconds
  }
}
