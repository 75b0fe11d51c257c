/// How often values fell into each of some ranges, and their sum: what latencies and sizes are
/// counted in. Values are whole numbers of the owner's unit (nanoseconds, records).
public struct Histogram: Equatable, Sendable {
  /// The highest value of each range, ascending; what is above the last falls into one more range.
  public let upperBounds: [Int64]
  /// How many values fell into each range, not cumulated; one more than there are bounds.
  public private(set) var counts: [UInt64]
  /// The sum of all values.
  public private(set) var sum: Int64

  /// An empty histogram. Precondition: the bounds ascend.
  public init(upperBounds: [Int64]) {
    precondition(
      zip(upperBounds, upperBounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds ascend")
    self.upperBounds = upperBounds
    counts = Array(repeating: 0, count: upperBounds.count + 1)
    sum = 0
  }

  /// A histogram that was counted elsewhere. Precondition: one count more than bounds.
  public init(upperBounds: [Int64], counts: [UInt64], sum: Int64) {
    self.init(upperBounds: upperBounds)
    precondition(counts.count == self.counts.count, "a count for each range")
    self.counts = counts
    self.sum = sum
  }

  /// Counts `value`, `times` times.
  public mutating func add(_ value: Int64, times: UInt64 = 1) {
    counts[Self.range(of: value, in: upperBounds)] += times
    sum = sum &+ value &* Int64(truncatingIfNeeded: times)
  }

  /// How many values were counted.
  public var count: UInt64 { counts.reduce(0, +) }

  /// The position of the range that `value` falls into.
  public static func range(of value: Int64, in upperBounds: [Int64]) -> Int {
    var position = 0
    while position < upperBounds.count, value > upperBounds[position] { position += 1 }
    return position
  }
}
