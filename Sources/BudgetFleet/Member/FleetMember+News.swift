import BudgetModel
import Dispatch
import Locks
public import Reconciliation
import SpendLedger
import Synchronization

/// What the ledger has committed, for the passes.
extension FleetMember {
  /// How long a pass waits for the ledger. Commits take some milliseconds; a disk that stands still would
  /// keep reservations waiting.
  private static let newsPatience = Duration.milliseconds(100)

  /// Everything that was recorded since the last call: committed totals only.
  public func news() throws(FleetNodeError) -> LedgerNews {
    // What the ledger was asked for before it does not tell again.
    let late = try newsTold(waiting: nil)
    let news = try LedgerNews(asked { () throws(LedgerError) in try ledger.changes() })
    hasNews.store(true, ordering: .relaxed)
    return late?.followed(by: news) ?? news
  }

  /// The same, if the ledger answers within a moment; else what it answers is given by a later call. The
  /// first news is waited for: before it nothing is known of what this node has told.
  public func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    guard hasNews.load(ordering: .relaxed) else { return try news() }
    if askedNews.withLock({ $0 == nil }) {
      let reply = try asked { () throws(LedgerError) in try ledger.askForChanges() }
      askedNews.withLock { $0 = reply }
    }
    return try newsTold(waiting: Self.newsPatience)
  }

  /// The answer to what the ledger was asked before; nil: nothing was, or it has not answered within
  /// `patience` (nil: as long as it takes).
  private func newsTold(waiting patience: Duration?) throws(FleetNodeError) -> LedgerNews? {
    guard let reply = askedNews.withLock({ $0 }) else { return nil }
    let answer = patience.map { reply.wait(until: .now() + $0.inSeconds) } ?? reply.wait()
    guard let answer else { return nil }
    askedNews.withLock { $0 = nil }
    return try LedgerNews(asked { () throws(LedgerError) in try answer.get() })
  }

  private func asked<Answer>(
    _ question: () throws(LedgerError) -> Answer
  ) throws(FleetNodeError) -> Answer {
    do throws(LedgerError) {
      return try question()
    } catch {
      throw FleetNodeError("\(error)")
    }
  }
}
