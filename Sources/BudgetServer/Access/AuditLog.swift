import Dispatch
import Locks
import Logging

/// Who did what to the configuration, a backup or a limit: a line in the log and a count each.
final class AuditLog: Sendable {
  /// The things that are written down.
  enum Action: String, CaseIterable {
    /// The configuration was read again.
    case reload
    /// A copy of the ledger was asked for.
    case backup
  }

  private let counts = Locked<[Action: Int]>([:])
  private let log: Logger
  /// Writing a line may wait, so not on a lane.
  private static let queue = DispatchQueue(label: "budgetd.audit", qos: .utility)

  init(log: Logger) { self.log = log }

  /// How often it was done.
  func count(_ action: Action) -> Int { counts.withLock { $0[action, default: 0] } }

  /// Writes down that the peer of a connection did it.
  func note(_ action: Action, by entry: LanePeers.Entry?) {
    note(action, by: entry?.words ?? "nobody at an unknown address")
  }

  /// Writes down that somebody did it.
  func note(_ action: Action, by whom: String) {
    counts.withLock { $0[action, default: 0] += 1 }
    Self.queue.async { [log] in log.notice("audit: \(action.rawValue) by \(whom)") }
  }
}
