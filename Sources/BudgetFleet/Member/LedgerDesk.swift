import BudgetModel
import Dispatch
import Locks
import Reconciliation
import SpendLedger
import Synchronization

/// The ledger, as passes ask it. One thread asks, and whoever waits for that thread does not wait for a
/// disk that stands still.
final class LedgerDesk: Sendable {
  private let ledger: SpendLedger
  /// Whether somebody waits for the thread that asks.
  private let isAwaited: @Sendable () -> Bool
  /// The news that was asked for and has not come.
  private let asked = Locked<Question?>(nil)
  /// Whether the ledger has told anything yet.
  private let hasTold = Atomic<Bool>(false)

  private struct Question: Sendable {
    let answer: Promise<Result<LedgerChanges, LedgerError>>
    let since = DispatchTime.now()
  }

  /// How long the ledger is waited for though somebody waits: commits take some milliseconds.
  private static let patience = Duration.milliseconds(100)
  /// How often it is looked whether somebody waits.
  private static let look = Duration.milliseconds(5)

  init(_ ledger: SpendLedger, isAwaited: @escaping @Sendable () -> Bool) {
    self.ledger = ledger
    self.isAwaited = isAwaited
  }

  /// Everything that was recorded since the last call: committed totals only.
  func news() throws(FleetNodeError) -> LedgerNews {
    // An answer that is on its way is not given again.
    let late = try asked.withLock { $0 }.map { (question) throws(FleetNodeError) in
      try take(question.answer.wait())
    }
    let news = try LedgerNews(Self.read { () throws(LedgerError) in try ledger.changes() })
    hasTold.store(true, ordering: .relaxed)
    return late?.followed(by: news) ?? news
  }

  /// The same; nil where the ledger does not answer while somebody waits: a later call gives what it
  /// answers. The first news is waited for: before it nothing is known of what this node has told.
  func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    guard hasTold.load(ordering: .relaxed) else { return try news() }
    var question = asked.withLock { $0 }
    if question == nil {
      do throws(LedgerError) {
        question = Question(answer: try ledger.askForChanges())
      } catch {
        throw FleetNodeError("\(error)")
      }
      asked.withLock { [question] in $0 = question }
    }
    guard let question, let answer = wait(for: question.answer, since: question.since) else {
      return nil
    }
    return try take(answer)
  }

  /// Keeps what is known of the fleet's windows, for the next start. Throws where the ledger does not
  /// answer while somebody waits: it may do it yet.
  func remember(_ windows: [FleetWindow]) throws(FleetNodeError) {
    let start = DispatchTime.now()
    let isDone = try Self.read { () throws(LedgerError) in
      try ledger.remember(windows) { wait(for: $0, since: start) }
    }
    if !isDone { throw FleetNodeError("the ledger has not answered: its disk is slow") }
  }

  /// The answer; nil: it has not come, the patience is over, and somebody waits.
  private func wait<Answer>(for answer: Promise<Answer>, since start: DispatchTime) -> Answer? {
    let deadline = start + Self.patience.inSeconds
    while true {
      if let given = answer.wait(until: .now() + Self.look.inSeconds) { return given }
      if DispatchTime.now() >= deadline, isAwaited() { return nil }
    }
  }

  private func take(
    _ answer: Result<LedgerChanges, LedgerError>
  ) throws(FleetNodeError) -> LedgerNews {
    asked.withLock { $0 = nil }
    return try LedgerNews(Self.read { () throws(LedgerError) in try answer.get() })
  }

  private static func read<Answer>(
    _ answer: () throws(LedgerError) -> Answer
  ) throws(FleetNodeError) -> Answer {
    do throws(LedgerError) {
      return try answer()
    } catch {
      throw FleetNodeError("\(error)")
    }
  }
}
