public import BudgetModel
import Locks

extension SpendLedger {
  /// So many questions are answered between two commits at most.
  private static let historySlice = 16
  /// So many limits are noted between two commits at most.
  private static let limitSlice = 512

  /// The windows of budgets and their spend, an answer for each question: the newest first, open ones
  /// among them, committed totals only. Waits for the ledger's thread, never for a lane; records
  /// are committed between every few questions.
  ///
  /// An answer may have fewer windows than were asked for though there are more; where it has none
  /// there are none.
  public func history(
    of questions: [HistoryQuestion]
  ) throws(LedgerError) -> [[PastWindow]] {
    var answers: [[PastWindow]] = []
    var rest = questions[...]
    while !rest.isEmpty {
      let reply = Promise<Result<[[PastWindow]], LedgerError>>()
      let slice = Array(rest.prefix(Self.historySlice))
      rest = rest.dropFirst(slice.count)
      guard shared.queue.ask(.history(slice, reply: reply)) else { throw .closed }
      answers += try reply.wait().get()
    }
    return answers
  }

  /// Notes the limits in force at `now`, for the history of windows that end from now on; those that
  /// are as they were noted before cost a look. Does not wait.
  ///
  /// `isComplete`: these are all that are in force, as after a start. Otherwise those that may have
  /// changed.
  public func note(_ limits: [NotedLimit], isComplete: Bool, at now: Timestamp) {
    if isComplete {
      shared.queue.add(.limits(LimitNotes(limits: limits, isComplete: true, now: now)))
      return
    }
    var rest = limits[...]
    while !rest.isEmpty {
      let slice = Array(rest.prefix(Self.limitSlice))
      rest = rest.dropFirst(slice.count)
      shared.queue.add(.limits(LimitNotes(limits: slice, isComplete: false, now: now)))
    }
  }
}
