import BudgetWire

/// What a load test saw.
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
  /// The answers, by methods that were asked.
  public var answers: [Answers] = []

  init(duration: Duration) { self.duration = duration }
}
