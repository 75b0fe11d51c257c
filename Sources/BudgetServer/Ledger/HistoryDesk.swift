import BudgetModel
import Dispatch
import Locks

/// Takes the questions that are too long for a lane, one at a time: those about history, which the
/// ledger answers, and those that look at every name there is.
///
/// After each it rests three times as long as that took, so that no number of questions takes more
/// than a quarter of the ledger's thread, or of a processor.
final class HistoryDesk: Sendable {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var isBusy = false
  }

  private let queue = DispatchQueue(label: "budgetd.history", qos: .utility)
  private let state = Locked(State())

  /// So many questions wait at most.
  static let waitingBound = 64
  private static let rest: Int64 = 3

  /// Does `work` in its turn; false: too many wait.
  func take(_ work: @escaping @Sendable () -> Void) -> Bool {
    let (isTaken, begins) = state.withLock { state -> (Bool, Bool) in
      guard state.waiting.count < Self.waitingBound else { return (false, false) }
      state.waiting.append(work)
      defer { state.isBusy = true }
      return (true, !state.isBusy)
    }
    if begins { queue.async { self.next() } }
    return isTaken
  }

  private func next() {
    let work = state.withLock { state -> (@Sendable () -> Void)? in
      guard !state.waiting.isEmpty else {
        state.isBusy = false
        return nil
      }
      return state.waiting.removeFirst()
    }
    guard let work else { return }
    let began = ContinuousClock.now
    work()
    let took = (ContinuousClock.now - began).nanoseconds
    queue.asyncAfter(deadline: .now() + .nanoseconds(Int(took * Self.rest))) { self.next() }
  }
}
