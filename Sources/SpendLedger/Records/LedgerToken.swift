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
