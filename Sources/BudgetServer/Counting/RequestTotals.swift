import BudgetModel
import BudgetWire

/// Requests as counted so far, summed over all who count.
struct RequestTotals {
  /// Answers by method and status.
  var answers = Array(
    repeating: Array(repeating: 0, count: StatusCode.allCases.count), count: CountedMethod.count)
  /// Durations by method and range.
  var ranges = Array(
    repeating: Array(repeating: 0, count: RequestCounts.durationBounds.count + 1),
    count: CountedMethod.count)
  /// The sum of durations by method.
  var nanoseconds = Array(repeating: 0, count: CountedMethod.count)
  /// Findings by scope.
  var denials = Array(repeating: 0, count: BudgetScope.allCases.count)
  /// Findings that replies left out, and how many replies did.
  var denialsOmitted = 0
  var repliesShortened = 0
  /// Providers in requests that are others than the model list's for the deployment.
  var contradictions = 0

  /// All answers.
  var requests: Int { answers.reduce(0) { $0 + $1.reduce(0, +) } }

  /// The durations of a method.
  func durations(_ method: Int) -> Histogram {
    Histogram(
      upperBounds: RequestCounts.durationBounds, counts: ranges[method].map { UInt64($0) },
      sum: Int64(nanoseconds[method]))
  }
}
