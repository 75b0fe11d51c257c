public import BudgetModel

/// The store's clock says what this node does not believe: nothing is decided by it, and nothing is
/// pushed.
public struct ClockDoubt: Error, Equatable, Sendable {
  /// What the store's clock says.
  public var store: Timestamp
  /// What this node had expected.
  public var expected: Timestamp
  /// How far apart the two may be, in seconds.
  public var boundSeconds: Int64

  /// Makes a doubt.
  public init(store: Timestamp, expected: Timestamp, boundSeconds: Int64) {
    self.store = store
    self.expected = expected
    self.boundSeconds = boundSeconds
  }
}

extension ClockDoubt: CustomStringConvertible {
  /// Both times, and what ends the doubt.
  public var description: String {
    "Redis' clock says \(store.iso8601), this node's time is \(expected.iso8601): more than "
      + "\(boundSeconds) s apart (--clock-jump-bound-s); it is followed once this host's clock "
      + "agrees with it, or when it has said the same for 60 s"
  }
}
