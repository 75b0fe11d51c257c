import BudgetModel
import BudgetWire

/// The requests of one writer: how they were answered, how long it took, how many candidates were
/// denied.
///
/// Only its writer, a lane or the ledger's thread, adds, with plain loads and stores and no locked
/// instruction; anyone reads.
final class RequestCounts: Sendable {
  /// 5 µs to 10 s, in nanoseconds.
  static let durationBounds: [Int64] = [
    5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
    2_500_000_000, 10_000_000_000,
  ]

  private static let scopeCount = BudgetScope.allCases.count

  /// One method's part.
  private struct Block: ~Copyable {
    /// By status.
    let answers = Counters<17>()
    /// By range of `durationBounds`.
    let ranges = Counters<20>()
    let nanoseconds = Counters<1>()
  }

  private let methods = PerMethod<Block> { _ in Block() }
  /// One for each scope, findings omitted, replies that omitted some; then providers in requests
  /// that are others than the model list's.
  private let denials = Counters<9>()
  /// The same by budget.
  let budgetDenials = DenialCounts()

  init() {
    // Neither grows with the methods.
    precondition(StatusCode.allCases.count == Counters<17>.count)
    precondition(Self.durationBounds.count + 1 == Counters<20>.count)
    precondition(Self.scopeCount + 3 == Counters<9>.count)
  }

  /// Counts answers to `method`, a `CountedMethod`.
  @inline(__always)
  func count(_ method: Int, _ status: StatusCode, times: Int = 1) {
    methods[method].answers.add(times, at: Int(status.rawValue))
  }

  /// Counts requests that each took `duration` nanoseconds.
  func count(_ method: Int, duration: Int64, times: Int) {
    let range = Histogram.range(of: duration, in: Self.durationBounds)
    methods[method].ranges.add(times, at: range)
    methods[method].nanoseconds.add(Int(duration) * times, at: 0)
  }

  /// Counts a finding that kept a candidate out.
  @inline(__always)
  func countDenial(by scope: BudgetScope) { denials.add(1, at: Int(scope.rawValue) - 1) }

  /// Counts findings that one reply left out.
  func countOmitted(_ findings: Int) {
    denials.add(findings, at: Self.scopeCount)
    denials.add(1, at: Self.scopeCount + 1)
  }

  /// Counts providers of one request that are others than the model list's.
  @inline(__always)
  func countContradictions(_ count: Int) {
    if count > 0 { denials.add(count, at: Self.scopeCount + 2) }
  }

  /// Adds what was counted so far to `sum`.
  func add(to sum: inout RequestTotals) {
    for method in methods.indices {
      for status in sum.answers[method].indices {
        sum.answers[method][status] += methods[method].answers.value(at: status)
      }
      for range in sum.ranges[method].indices {
        sum.ranges[method][range] += methods[method].ranges.value(at: range)
      }
      sum.nanoseconds[method] += methods[method].nanoseconds.value(at: 0)
    }
    for scope in 0..<Self.scopeCount { sum.denials[scope] += denials.value(at: scope) }
    sum.denialsOmitted += denials.value(at: Self.scopeCount)
    sum.repliesShortened += denials.value(at: Self.scopeCount + 1)
    sum.contradictions += denials.value(at: Self.scopeCount + 2)
  }
}
