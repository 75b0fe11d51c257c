import Dispatch
import Locks
import Logging
import Sockets
import TCPTransport

/// Acts on what connections do to the memory of the process: gives it back to the system, and says
/// in the log whom it was taken from, once a minute at most.
final class MemoryWatch: Sendable {
  private struct State {
    var isReleaseAhead = false
    var lastLine: MonotonicInstant?
    /// Connections closed since then.
    var closed = 0
  }

  private let log: Logger
  private let queue = DispatchQueue(label: "budgetd.memory", qos: .utility)
  private let state = Locked(State())

  /// Whoever ended lets go of the rest in this time.
  private static let delay = DispatchTimeInterval.milliseconds(500)
  private static let quiet = Duration.seconds(60)

  init(log: Logger) { self.log = log }

  /// Called on lanes: what takes time is done elsewhere.
  func note(_ notice: MemoryNotice) {
    switch notice {
    case .freed: release()
    case .closed(let connections, let bytes, let bound):
      let total = state.withLock { state -> Int? in
        state.closed += connections
        let now = MonotonicInstant.now()
        if let last = state.lastLine, now.duration(since: last) < Self.quiet { return nil }
        state.lastLine = now
        return exchange(&state.closed, with: 0)
      }
      guard let total else { return }
      queue.async { [log] in
        log.warning(
          """
          closed the connections that held the most memory, \(total) of them, the last \
          \(bytes / 1_048_576) MiB: replies that nobody reads and requests that do not end took more \
          than the \(bound / 1_048_576) MiB that all may hold (--max-unsent-total)
          """)
      }
    }
  }

  private func release() {
    let isFirst = state.withLock { !exchange(&$0.isReleaseAhead, with: true) }
    guard isFirst else { return }
    queue.asyncAfter(deadline: .now() + Self.delay) { [self] in
      state.withLock { $0.isReleaseAhead = false }
      FreedMemory.release()
    }
  }
}
