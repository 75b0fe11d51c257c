/// The sum that reservations with the same end keep back in a budget.
public struct HeldSum: Hashable, Sendable {
  /// The end that their ids tell, in seconds since 1970, rounded up.
  public var untilSeconds: Int64
  /// The end that they have, later where they were extended.
  public var endsSeconds: Int64
  /// The sum.
  public var amount: PicoUSD

  /// Makes a sum.
  public init(untilSeconds: Int64, endsSeconds: Int64, amount: PicoUSD) {
    self.untilSeconds = untilSeconds
    self.endsSeconds = endsSeconds
    self.amount = amount
  }

  /// Whether they have all ended.
  public func hasEnded(at now: Timestamp) -> Bool {
    endsSeconds <= now.unixMilliseconds / 1_000
  }

  /// The first whole second that is not before `time`.
  public static func seconds(from time: Timestamp) -> Int64 {
    let (seconds, rest) = time.unixMilliseconds.quotientAndRemainder(dividingBy: 1_000)
    return rest > 0 ? seconds + 1 : seconds
  }
}

/// All that reservations keep back in one budget.
public struct HeldBudget: Hashable, Sendable {
  /// The budget.
  public var key: BudgetKey
  /// The sums, each pair of ends once; empty: nothing is kept back.
  public var sums: [HeldSum]

  /// Makes the sums of a budget.
  public init(key: BudgetKey, sums: [HeldSum]) {
    self.key = key
    self.sums = sums
  }
}
