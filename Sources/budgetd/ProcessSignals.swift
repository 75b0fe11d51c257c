import BudgetServer
import Dispatch
import Foundation
import Synchronization

/// The signals that the process hears, from the first moment of `main` to its end.
///
/// Until the server serves, an order to end is followed at once: nothing was taken that could be
/// lost, and what a start does to files may be broken off at any instant. From then on orders are
/// handed on. The second order to end ends the process where it is heard, as does the first when its
/// time is over, whatever the rest of the process is waiting for.
final class ProcessSignals: Sendable {
  /// The signals of the process, in order: SIGHUP reloads, SIGTERM and SIGINT end.
  let events: AsyncStream<ProcessOrders.Event>

  /// How long the process may take to end once asked.
  private static let timeToEnd = DispatchTimeInterval.milliseconds(9_500)

  private let inbox: AsyncStream<ProcessOrders.Event>.Continuation
  private let queue = DispatchQueue(label: "budgetd.signals", qos: .userInitiated)
  private let isServing = Atomic<Bool>(false)
  private let wasAskedToEnd = Atomic<Bool>(false)

  /// Begins to hear.
  init() {
    // A peer that vanishes in the middle of a write is an error code, not the end of the process;
    // and a terminal that closes never is.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGHUP, SIG_IGN)
    (events, inbox) = AsyncStream.makeStream(of: ProcessOrders.Event.self)
    hear(SIGTERM) { $0.endIsAskedFor() }
    hear(SIGINT) { $0.endIsAskedFor() }
    hear(SIGHUP) { $0.tell(.reload) }
  }

  private func hear(_ number: Int32, _ then: @escaping @Sendable (ProcessSignals) -> Void) {
    let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
    // Its handler holds the source: it hears for as long as the process lives.
    source.setEventHandler { withExtendedLifetime(source) { then(self) } }
    source.activate()
  }

  /// From here on the server has peers: an order to end is handed on.
  func beginServing() {
    // On the queue: an order that came before is followed before.
    queue.sync { isServing.store(true, ordering: .relaxed) }
  }

  /// Adds to what happens.
  func tell(_ event: ProcessOrders.Event) { inbox.yield(event) }

  private func endIsAskedFor() {
    guard isServing.load(ordering: .relaxed) else {
      LineLog.complain("ended by a signal before it was ready")
      leave(0)
    }
    if wasAskedToEnd.exchange(true, ordering: .relaxed) { leave(1) }
    queue.asyncAfter(deadline: .now() + Self.timeToEnd) {
      LineLog.complain("did not end in time after a signal: ending as it is")
      leave(1)
    }
    tell(.end)
  }
}

/// Ends the process as it is: other threads may be at work, and what runs at an orderly exit would
/// take things away from under them.
func leave(_ status: Int32) -> Never {
  fflush(nil)
  _exit(status)
}
