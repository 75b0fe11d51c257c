public import BudgetModel

/// One cost to be recorded; the budgets it is charged to are handed over beside it.
public struct LedgerRecord: Sendable {
  /// The amount, from nothing to `PicoUSD.maximumRecord`.
  public var amount: PicoUSD
  /// Its key; nil: the record is not deduplicated.
  public var key: RecordKey?
  /// The caller's own, handed back with the outcome.
  public var token: LedgerToken
  /// The caller's own word for the reservation that it settles, handed back as well; 0: none.
  public var settlement: UInt64 = 0
  /// Whether the caller made the key of the reservation's name: one that was seen before with other
  /// fields may be recorded without a key, and the caller hears that.
  public var isKeyImplied = false

  /// Makes a record.
  public init(amount: PicoUSD, key: RecordKey? = nil, token: LedgerToken) {
    self.amount = amount
    self.key = key
    self.token = token
  }
}

/// Sixteen bytes of the caller's own that come back with a record's outcome: where its reply goes.
public struct LedgerToken: Hashable, Sendable {
  /// The first eight bytes.
  public var high: UInt64
  /// The last eight bytes.
  public var low: UInt64

  /// Makes a token of two words.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}
