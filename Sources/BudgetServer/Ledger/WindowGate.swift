import Dispatch
import Locks

/// Keeps the windows as they are from the labelling of a batch to its charging.
///
/// The ledger writes down in which window each amount is counted, commits, and only then the engine
/// charges it. A reload in between could open or close that window; so it waits for the commit, and
/// the next batch waits for the reload.
final class WindowGate: Sendable {
  /// Not private: tests ask whether it is taken.
  let turn = DispatchSemaphore(value: 1)
  /// Whether a batch holds the gate. The ledger's thread alone changes it.
  private let holdsBatch = Locked(false)

  /// A batch is about to be labelled; it holds the gate until `endBatch`. Waits for a reload.
  func beginBatch() {
    let isHeld = holdsBatch.withLock { held in
      defer { held = true }
      return held
    }
    if !isHeld { turn.wait() }
  }

  /// The batch was charged, or never will be. Harmless where none was begun.
  func endBatch() {
    let isHeld = holdsBatch.withLock { held in
      defer { held = false }
      return held
    }
    if isHeld { turn.signal() }
  }

  /// Runs `body` while no batch is between its labels and its charges.
  func withWindows<Result>(_ body: () -> Result) -> Result {
    turn.wait()
    defer { turn.signal() }
    return body()
  }
}
