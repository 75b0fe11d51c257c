import BudgetModel
import Dispatch
import Foundation
import Locks

/// The thread that alone waits for receivers: one message at a time, so that one that hangs holds up
/// nothing but the messages behind it.
public final class WebhookThread: Sendable {
  /// A message on its way.
  private struct Job: Sendable {
    let work: @Sendable () -> Void
  }

  private struct State: Sendable {
    var jobs: [Job] = []
    var isBusy = false
    var isEnding = false
  }

  private let state = Locked(State())
  private let bell = DispatchSemaphore(value: 0)
  private let ended = Promise<Void>()

  /// More than that do not wait.
  public static let mostWaiting = 16

  /// Starts the thread.
  public init() {
    let thread = Thread { [self] in
      while true {
        bell.wait()
        let job: Job? = state.withLock { state in
          if state.jobs.isEmpty { return nil }
          state.isBusy = true
          return state.jobs.removeFirst()
        }
        job?.work()
        let isOver = state.withLock { state in
          state.isBusy = false
          return state.isEnding && state.jobs.isEmpty
        }
        if isOver { break }
      }
      ended.fulfil(())
    }
    thread.name = "webhook"
    thread.start()
  }

  /// Has the thread do `work`, in its turn. False: too many wait, or it is ending.
  public func take(_ work: @escaping @Sendable () -> Void) -> Bool {
    let isTaken = state.withLock { state in
      guard !state.isEnding, state.jobs.count < Self.mostWaiting else { return false }
      state.jobs.append(Job(work: work))
      return true
    }
    if isTaken { bell.signal() }
    return isTaken
  }

  /// Takes nothing more, gives up what waits, and waits for what is under way, `allowance` at most.
  public func end(within allowance: Duration) {
    state.withLock { state in
      state.isEnding = true
      state.jobs.removeAll()
    }
    bell.signal()
    _ = ended.wait(until: .now() + max(0, allowance.inSeconds))
  }
}
