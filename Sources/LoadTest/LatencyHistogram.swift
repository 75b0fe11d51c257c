/// How long answers took: counted in buckets of 1.6 % width, from a nanosecond to centuries, in 32
/// KiB.
public struct LatencyHistogram: Hashable, Sendable {
  private static let subBits = 6
  private var buckets = [UInt64](repeating: 0, count: 64 << subBits)
  /// How many were counted.
  public private(set) var count: UInt64 = 0
  /// The longest, exactly.
  public private(set) var longest: Duration = .zero
  private var longestNanoseconds: UInt64 = 0

  /// Makes an empty histogram.
  public init() {}

  mutating func add(nanoseconds: Int64) {
    let value = UInt64(max(1, nanoseconds))
    buckets[Self.bucket(of: value)] += 1
    count += 1
    if value > longestNanoseconds {
      longestNanoseconds = value
      longest = .nanoseconds(Int64(value))
    }
  }

  /// How long the given part of the answers took at most, `part` from 0 to 1; zero without answers.
  public func percentile(_ part: Double) -> Duration {
    var rank = UInt64((part * Double(count)).rounded(.up))
    for (index, bucket) in buckets.enumerated() where bucket > 0 {
      if bucket >= rank { return min(longest, .nanoseconds(Self.value(of: index))) }
      rank -= bucket
    }
    return .zero
  }

  /// The exponent and the six bits below the highest one.
  private static func bucket(of value: UInt64) -> Int {
    let exponent = 63 - value.leadingZeroBitCount
    let bits = exponent >= subBits ? value >> UInt64(exponent - subBits) : value
    return exponent << subBits | Int(bits) & (1 << subBits - 1)
  }

  /// The highest value of a bucket.
  private static func value(of bucket: Int) -> Int64 {
    let exponent = bucket >> subBits
    let bits = UInt64(bucket & (1 << subBits - 1))
    guard exponent >= subBits else { return Int64(bits) }
    let step = UInt64(1) << UInt64(exponent - subBits)
    return Int64(clamping: (UInt64(1) << UInt64(exponent)) + (bits + 1) * step - 1)
  }
}
