/// The costs of one kind of request, as far as they are remembered: no money, an expectation.
public struct LearnedCost: Hashable, Sendable {
  /// A digest of the kind's name.
  public var key: UInt128
  /// How many costs there were; large numbers may stop short.
  public var count: Int64
  /// Their mean, in dollars; newer ones weigh more.
  public var mean: Double
  /// Their mean square deviation from it, in square dollars.
  public var variance: Double

  /// Makes one from its parts.
  public init(key: UInt128, count: Int64, mean: Double, variance: Double) {
    self.key = key
    self.count = count
    self.mean = mean
    self.variance = variance
  }

  /// Whether the numbers make sense.
  public var isSound: Bool {
    count > 0 && mean.isFinite && mean >= 0 && variance.isFinite && variance >= 0
  }
}
