import BudgetModel
import Dispatch
import Locks
import Reconciliation
import SpendLedger
import Synchronization

/// The ledger's commits, as passes hear of them. One thread asks.
final class NewsDesk: Sendable {
  private let ledger: SpendLedger
  /// The answer that was asked for and has not come.
  private let asked = Locked<Promise<Result<LedgerChanges, LedgerError>>?>(nil)
  /// Whether the ledger has told anything yet.
  private let hasTold = Atomic<Bool>(false)

  /// How long a pass waits for the ledger. Commits take some milliseconds; a disk that stands still would
  /// keep reservations waiting.
  private static let patience = Duration.milliseconds(100)

  init(_ ledger: SpendLedger) { self.ledger = ledger }

  /// Everything that was recorded since the last call: committed totals only.
  func news() throws(FleetNodeError) -> LedgerNews {
    // An answer that is on its way is not given again.
    let late = try answer(within: nil)
    let news = try Self.read { () throws(LedgerError) in try ledger.changes() }
    hasTold.store(true, ordering: .relaxed)
    return late?.followed(by: news) ?? news
  }

  /// The same, if the ledger answers within a moment; else what it answers is given by a later call. The
  /// first news is waited for: before it nothing is known of what this node has told.
  func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    guard hasTold.load(ordering: .relaxed) else { return try news() }
    if asked.withLock({ $0 == nil }) {
      do throws(LedgerError) {
        let promise = try ledger.askForChanges()
        asked.withLock { $0 = promise }
      } catch {
        throw FleetNodeError("\(error)")
      }
    }
    return try answer(within: Self.patience)
  }

  /// The answer to what was asked before; nil: nothing was, or it has not come within `patience` (nil: it
  /// is waited for).
  private func answer(within patience: Duration?) throws(FleetNodeError) -> LedgerNews? {
    guard let promise = asked.withLock({ $0 }) else { return nil }
    let given = patience.map { promise.wait(until: .now() + $0.inSeconds) } ?? promise.wait()
    guard let given else { return nil }
    asked.withLock { $0 = nil }
    return try Self.read { () throws(LedgerError) in try given.get() }
  }

  private static func read(
    _ changes: () throws(LedgerError) -> LedgerChanges
  ) throws(FleetNodeError) -> LedgerNews {
    do throws(LedgerError) {
      return LedgerNews(try changes())
    } catch {
      throw FleetNodeError("\(error)")
    }
  }
}
