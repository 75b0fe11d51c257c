/// Where one budget stands, as GetProviderBudgets shows it.
public struct BudgetMessage: Hashable, Sendable {
  /// The budget's name within its scope.
  public var name: String
  /// US dollars; nil = no limit.
  public var limitUSD: Double?
  /// The window's length as configured, `7d`.
  public var timePeriod: String
  /// US dollars committed in the open window.
  public var spendUSD: Double
  /// limit - spend - reserved in US dollars, negative once overshot; nil = no limit.
  public var remainingUSD: Double?
  /// When the window ends, Unix milliseconds; nil = no window is open.
  public var resetsAtUnixMilliseconds: Int64?
  /// US dollars held by reservations.
  public var reservedUSD: Double
  /// Whether the budget denies now.
  public var isExhausted: Bool

  /// A budget of this name without limit, spend or window; set what else is known.
  public init(name: String, timePeriod: String = "") {
    self.name = name
    self.timePeriod = timePeriod
    spendUSD = 0
    reservedUSD = 0
    isExhausted = false
  }

  /// Appends the budget as an entry of the list that is field `number`.
  func append(as number: UInt8, to bytes: inout [UInt8]) {
    bytes.appendMessage(number) { bytes in
      bytes.appendText(1, name)
      if let limitUSD { bytes.appendPresentDouble(2, limitUSD) }
      bytes.appendText(3, timePeriod)
      bytes.appendDouble(4, spendUSD)
      if let remainingUSD { bytes.appendPresentDouble(5, remainingUSD) }
      if let resetsAtUnixMilliseconds {
        bytes.appendPresentInteger(6, UInt64(bitPattern: resetsAtUnixMilliseconds))
      }
      bytes.appendDouble(7, reservedUSD)
      bytes.appendFlag(8, isExhausted)
    }
  }
}
