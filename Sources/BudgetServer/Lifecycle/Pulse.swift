import Locks
import SpendLedger
import TCPTransport

/// Whether the parts that serve go round: every lane and the ledger's thread.
///
/// A process that answers signals while a lane hangs, or while the disk under the ledger does, is of no
/// use to anybody; whoever supervises it should hear nothing.
final class Pulse: Sendable {
  private let transport: TCPServer
  private let ledger: SpendLedger

  init(_ transport: TCPServer, _ ledger: SpendLedger) {
    self.transport = transport
    self.ledger = ledger
  }

  /// Calls `done` once all have answered. Where one hangs it is never called.
  func beat(_ done: @escaping @Sendable () -> Void) {
    let count = Count(done)
    let lanes = transport.answer { count.change(by: -1) }
    let others = ledger.answer { count.change(by: -1) } ? 1 : 0
    count.change(by: lanes + others)
  }

  /// Answers that are awaited; they may come before it is known how many there will be.
  private final class Count: Sendable {
    private let awaited = Locked(0)
    private let done: @Sendable () -> Void

    init(_ done: @escaping @Sendable () -> Void) { self.done = done }

    func change(by step: Int) {
      let isDone = awaited.withLock { awaited in
        awaited += step
        return awaited == 0
      }
      if isDone { done() }
    }
  }
}
