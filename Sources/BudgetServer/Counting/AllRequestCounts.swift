import BudgetWire
import Locks

/// Everybody who counts requests: each lane, the ledger's thread, and one for all others.
final class AllRequestCounts: Sendable {
  private let writers = Locked<[RequestCounts]>([])
  private let others = Locked(RequestCounts())
  /// By slot: denials of budgets that had it before.
  private let denialsBefore = Locked<[Int32: Int]>([:])

  /// Counts for one writer more.
  func writer() -> RequestCounts {
    let counts = RequestCounts()
    writers.withLock { $0.append(counts) }
    return counts
  }

  /// Counts an answer from a thread that is not a writer.
  func count(_ method: Int, _ status: StatusCode) {
    others.withLock { $0.count(method, status) }
  }

  /// How often each budget denied a candidate, so far.
  var denials: DenialReading {
    DenialReading(
      writers.withLock { $0 }.map(\.budgetDenials.all), before: denialsBefore.withLock { $0 })
  }

  /// Slots belong to other budgets from now on, and nobody counts for those that had them.
  func forgetDenials(of slots: [Int32]) {
    let reading = denials
    denialsBefore.withLock { before in
      for slot in slots where reading.total(slot) > 0 { before[slot] = reading.total(slot) }
    }
  }

  /// The sum of all, each number right, not all of the same instant.
  var totals: RequestTotals {
    var sum = RequestTotals()
    for counts in writers.withLock({ $0 }) { counts.add(to: &sum) }
    others.withLock { $0 }.add(to: &sum)
    return sum
  }
}
