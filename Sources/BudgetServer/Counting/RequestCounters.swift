import BudgetWire
import Locks

/// Everybody who counts requests: each lane, the ledger's thread, and one for all others.
final class RequestCounters: Sendable {
  private let writers = Locked<[RequestCounts]>([])
  private let others = Locked(RequestCounts())

  /// Counts for one writer more.
  func writer() -> RequestCounts {
    let counts = RequestCounts()
    writers.withLock { $0.append(counts) }
    return counts
  }

  /// Counts an answer from a thread that is no writer.
  func count(_ method: Int, _ status: StatusCode) {
    others.withLock { $0.count(method, status) }
  }

  /// What each budget kept out, so far.
  var denials: DenialReading {
    DenialReading(writers.withLock { $0 }.map(\.budgetDenials.all))
  }

  /// The sum of all, each number right, not all of the same instant.
  var totals: RequestTotals {
    var sum = RequestTotals()
    for counts in writers.withLock({ $0 }) { counts.add(to: &sum) }
    others.withLock { $0 }.add(to: &sum)
    return sum
  }
}
