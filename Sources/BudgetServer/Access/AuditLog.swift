import BudgetModel
import Dispatch
import Locks
import Logging
import SpendLedger

/// Who did what to the configuration, a backup or a budget: a line in the log, a count and a row in
/// the ledger each. What was refused is written down too.
final class AuditLog: Sendable {
  /// The things that are written down.
  enum Action: String, CaseIterable {
    /// The configuration was read again.
    case reload
    /// A copy of the ledger was asked for.
    case backup
    /// A limit or a mode was changed.
    case setBudget = "set_budget"
    /// The configuration's values hold again.
    case clearBudget = "clear_budget"
    /// A budget's window was ended.
    case resetBudget = "reset_budget"
    /// Something was asked for and refused.
    case refused
  }

  /// The keeper of rows.
  struct Keeper {
    let ledger: SpendLedger
    let time: any TimeSource
    /// This node's name.
    let node: String
  }

  private let counts = Locked<[Action: Int]>([:])
  private let keeper = Locked<Keeper?>(nil)
  private let refusals = Locked(RefusalPace())
  private let log: Logger
  /// Writing a line may wait, so not on a lane.
  private static let queue = DispatchQueue(label: "budgetd.audit", qos: .utility)

  init(log: Logger) { self.log = log }

  /// Lines are kept from here on.
  func keep(in keeper: Keeper) { self.keeper.withLock { $0 = keeper } }

  /// How often it was done.
  func count(_ action: Action) -> Int { counts.withLock { $0[action, default: 0] } }

  /// Writes down that the peer of a connection did it.
  func note(_ action: Action, by entry: LanePeers.Entry?) {
    note(action, by: entry?.author ?? .nobody)
  }

  /// Writes down that somebody did it.
  func note(_ action: Action, by author: ChangeAuthor, after: String = "") {
    var entry = entry(action.rawValue, by: author)
    entry.after = after
    noteKept(action, entry)
    Self.queue.async { [self, entry] in keep(entry) }
  }

  /// Counts and tells what the ledger has a row of already.
  func noteKept(_ action: Action, _ entry: AuditEntry) {
    counts.withLock { $0[action, default: 0] += 1 }
    tell("\(entry)")
  }

  /// Writes down that a call was refused for who makes it.
  func noteRefused(_ action: String, by author: ChangeAuthor, _ refusal: String) {
    var entry = entry(action, by: author)
    entry.refusal = refusal
    note(refused: entry)
  }

  /// Writes down what was asked for and refused. Whoever may not do it can still ask without end: so
  /// many lines a minute, and how many there were more.
  func note(refused entry: AuditEntry) {
    counts.withLock { $0[.refused, default: 0] += 1 }
    let seconds = entry.at.unixMilliseconds / 1_000
    guard let more = refusals.withLock({ $0.take(atSecond: seconds) }) else { return }
    var entry = entry
    if more > 0 { entry.after = "\(more) more were refused since the line before" }
    tell("\(entry)")
    Self.queue.async { [self, entry] in keep(entry) }
  }

  /// A line in the log alone.
  func tell(_ text: String) {
    Self.queue.async { [log] in log.notice("audit: \(text)") }
  }

  private func entry(_ action: String, by author: ChangeAuthor) -> AuditEntry {
    let keeper = keeper.withLock { $0 }
    return AuditEntry(
      at: keeper?.time.now() ?? Timestamp(unixMilliseconds: 0), action: action, by: author,
      node: keeper?.node ?? "")
  }

  private func keep(_ entry: AuditEntry) {
    guard let keeper = keeper.withLock({ $0 }) else { return }
    var notes = ChangeNotes()
    notes.audit = [entry]
    do throws(LedgerError) {
      try keeper.ledger.keep(notes)
    } catch {
      log.error("a line of the audit could not be kept: \(error)")
    }
  }
}

/// How many refusals are written down. A value, told the time.
struct RefusalPace {
  private var second = Int64.min
  private var count = 0
  private var left = 0

  /// So many lines in a minute.
  static let linesAMinute = 60
  private static let minute: Int64 = 60

  /// Whether this one is written down: how many before it were not; nil: it is not.
  mutating func take(atSecond now: Int64) -> Int? {
    if now < second || now >= second &+ Self.minute { (second, count) = (now, 0) }
    guard count < Self.linesAMinute else {
      left += 1
      return nil
    }
    count += 1
    defer { left = 0 }
    return left
  }
}

extension ChangeAuthor {
  /// Somebody of whom nothing is known.
  static let nobody = ChangeAuthor(name: "nobody", place: "an unknown address")
}
