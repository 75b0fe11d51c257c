import BudgetWire

/// The results of a load test.
public struct LoadReport: Sendable {
  /// The answers to one method.
  public struct Answers: Sendable {
    /// The method's name in the contract.
    public var method: String
    /// How long they took.
    public var latencies: LatencyHistogram
    /// How many ended with each status, `OK` first, then by the statuses' numbers.
    public var codes: [(name: String, count: UInt64)] = []
    /// How many were no answer to what was asked. A filter whose candidates are all over budget is
    /// answered; where the plan expects denials, it is the only answer.
    public var errors: UInt64 = 0
    /// Answers in a second.
    public var rate: Double

    init(
      _ method: MethodName, _ seen: LoadDriver.Seen, expectsDenials: Bool, during duration: Duration
    ) {
      self.method = method.description
      latencies = seen.latencies
      rate = Double(latencies.count) / (duration / .seconds(1))
      let isFilter = method == .filterDeployments
      for code in StatusCode.allCases where seen.codes[Int(code.rawValue)] > 0 {
        let count = seen.codes[Int(code.rawValue)]
        codes.append((code.description, count))
        let isAnswer =
          switch code {
          case .ok: !(isFilter && expectsDenials)
          case .resourceExhausted: isFilter
          default: false
          }
        if !isAnswer { errors += count }
      }
    }
  }

  /// For how long answers were counted.
  public var duration: Duration
  /// The answers, by methods that were asked and answered.
  public var answers: [Answers] = []
  /// The names of methods that were asked and not answered while answers were counted.
  public var unanswered: [String] = []

  init(duration: Duration) { self.duration = duration }
}

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
