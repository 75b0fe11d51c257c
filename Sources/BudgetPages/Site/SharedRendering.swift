import BudgetModel
import Dispatch
import HTTPPort
import Locks

/// Renders pages that cost something, one at a time, once for all who wait for the same.
///
/// A question that comes while its page is being rendered waits for the next rendering: no answer
/// is older than its question. After each rendering it rests three times as long as that took, so
/// that no number of readers takes more than a quarter of one core.
final class SharedRendering: Sendable {
  private struct Waiting {
    let key: String
    let render: @Sendable () -> HTTPResponse
    var replies: [HTTPReply]
  }

  private struct State {
    var waiting: [Waiting] = []
    var isBusy = false
  }

  private let queue: DispatchQueue
  private let state = Locked(State())

  /// How many times the length of a rendering it rests.
  private static let rest: Int64 = 3

  init(label: String) { queue = DispatchQueue(label: label, qos: .utility) }

  /// Answers `reply` with what `render` makes, or made for another question with the same `key`.
  /// The number of waiting questions is that of the port's connections.
  func ask(
    _ key: String, _ reply: HTTPReply, render: @escaping @Sendable () -> HTTPResponse
  ) {
    let begins = state.withLock { state in
      if let index = state.waiting.firstIndex(where: { $0.key == key }) {
        state.waiting[index].replies.append(reply)
      } else {
        state.waiting.append(Waiting(key: key, render: render, replies: [reply]))
      }
      defer { state.isBusy = true }
      return !state.isBusy
    }
    if begins { queue.async { self.renderNext() } }
  }

  private func renderNext() {
    let next = state.withLock { state -> Waiting? in
      guard !state.waiting.isEmpty else {
        state.isBusy = false
        return nil
      }
      return state.waiting.removeFirst()
    }
    guard let next else { return }
    let began = ContinuousClock.now
    let response = next.render()
    for reply in next.replies { reply.send(response) }
    let took = (ContinuousClock.now - began).nanoseconds
    queue.asyncAfter(deadline: .now() + .nanoseconds(Int(took * Self.rest))) { self.renderNext() }
  }
}
