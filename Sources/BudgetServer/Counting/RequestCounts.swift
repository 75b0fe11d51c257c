import BudgetModel
import BudgetWire

/// What one writer counted of requests: how they were answered, how long it took, what was denied.
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

  private static let statusCount = StatusCode.allCases.count
  private static let rangeCount = durationBounds.count + 1
  private static let scopeCount = 3

  private let answers = CounterRow()
  private let ranges = CounterRow()
  private let nanoseconds = CounterRow()
  /// One for each scope, findings omitted, replies that omitted some; then providers in requests
  /// that are others than the model list's.
  private let denials = CounterRow()
  /// The same by budget.
  let budgetDenials = DenialCounts()

  init() {
    precondition(CountedMethod.count * Self.statusCount <= CounterRow.width)
    precondition(CountedMethod.count * Self.rangeCount <= CounterRow.width)
  }

  /// Counts answers to `method`, a `CountedMethod`.
  @inline(__always)
  func count(_ method: Int, _ status: StatusCode, times: Int = 1) {
    answers.add(times, at: method * Self.statusCount + Int(status.rawValue))
  }

  /// Counts requests that each took `duration` nanoseconds.
  func count(_ method: Int, duration: Int64, times: Int) {
    let range = Histogram.range(of: duration, in: Self.durationBounds)
    ranges.add(times, at: method * Self.rangeCount + range)
    nanoseconds.add(Int(duration) * times, at: method)
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
    for method in 0..<CountedMethod.count {
      for status in 0..<Self.statusCount {
        sum.answers[method][status] += answers.value(at: method * Self.statusCount + status)
      }
      for range in 0..<Self.rangeCount {
        sum.ranges[method][range] += ranges.value(at: method * Self.rangeCount + range)
      }
      sum.nanoseconds[method] += nanoseconds.value(at: method)
    }
    for scope in 0..<Self.scopeCount { sum.denials[scope] += denials.value(at: scope) }
    sum.denialsOmitted += denials.value(at: Self.scopeCount)
    sum.repliesShortened += denials.value(at: Self.scopeCount + 1)
    sum.contradictions += denials.value(at: Self.scopeCount + 2)
  }
}
