import Dispatch
import Locks
import Reconciliation
import SpendLedger

/// What the ledger has committed, as passes hear it. One thread asks.
struct NewsDesk: ~Copyable {
  private let ledger: SpendLedger
  /// The answer that was asked for and has not come.
  private var asked: Promise<Result<LedgerChanges, LedgerError>>?
  /// Whether the ledger has told anything yet.
  private var hasTold = false

  /// How long a pass waits for the ledger. Commits take some milliseconds; a disk that stands still would
  /// keep reservations waiting.
  private static let patience = Duration.milliseconds(100)

  init(_ ledger: SpendLedger) { self.ledger = ledger }

  /// Everything that was recorded since the last call: committed totals only.
  mutating func news() throws(FleetNodeError) -> LedgerNews {
    // An answer that is on its way is not given again.
    let late = try answer(within: nil)
    let news = try Self.read { () throws(LedgerError) in try ledger.changes() }
    hasTold = true
    return late?.followed(by: news) ?? news
  }

  /// The same, if the ledger answers within a moment; else what it answers is given by a later call. The
  /// first news is waited for: before it nothing is known of what this node has told.
  mutating func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    guard hasTold else { return try news() }
    if asked == nil {
      do throws(LedgerError) {
        asked = try ledger.askForChanges()
      } catch {
        throw FleetNodeError("\(error)")
      }
    }
    return try answer(within: Self.patience)
  }

  /// The answer to what was asked before; nil: nothing was, or it has not come within `patience` (nil: it
  /// is waited for).
  private mutating func answer(within patience: Duration?) throws(FleetNodeError) -> LedgerNews? {
    guard let asked else { return nil }
    let given = patience.map { asked.wait(until: .now() + $0.inSeconds) } ?? asked.wait()
    guard let given else { return nil }
    self.asked = nil
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
