import Dispatch
import Locks

/// The events that wait to be written: lanes add to a bounded list without waiting, and one thread
/// empties it.
final class TraceQueue: Sendable {
  private struct State {
    var events: [TraceEvent] = []
    var byteCount = 0
    var lost: UInt64 = 0
    var hasLostOutcomes = false
    var isEnding = false
  }

  /// The events that were taken out at once.
  struct Batch {
    var events: [TraceEvent]
    /// How many steps were lost so far.
    var lost: UInt64
    /// Whether outcomes of records are among them: who waits for one may wait in vain.
    var hasLostOutcomes: Bool
    /// Whether nothing comes behind these.
    var isLast: Bool
  }

  private let state = Locked(State())
  private let news = DispatchSemaphore(value: 0)
  private let bound: Int

  init(bound: Int) { self.bound = bound }

  /// How many steps were lost for want of room.
  var lost: UInt64 { state.withLock { $0.lost } }

  /// Counts steps that were lost elsewhere.
  func countLost(_ count: UInt64) { state.withLock { $0.lost += count } }

  /// Adds what there is room for. Outcomes have as much room again: without them what is in cannot be
  /// written. `always`: whatever the bound says.
  func add(_ event: TraceEvent, always: Bool = false) {
    add(CollectionOfOne(event), always: always)
  }

  func add(_ events: some Collection<TraceEvent>, always: Bool = false) {
    let isNew = state.withLock { state in
      guard !state.isEnding else { return false }
      let wasEmpty = state.events.isEmpty
      for event in events {
        var limit = bound
        var isOutcome = false
        if case .settled = event {
          isOutcome = true
          limit *= 2
        }
        let size = event.byteCount
        guard always || state.byteCount + size <= limit else {
          if isOutcome { state.hasLostOutcomes = true } else { state.lost += 1 }
          continue
        }
        state.byteCount += size
        state.events.append(event)
      }
      return wasEmpty && !state.events.isEmpty
    }
    if isNew { news.signal() }
  }

  /// Nothing is added any more.
  func end() {
    state.withLock { $0.isEnding = true }
    news.signal()
  }

  /// Takes all there is, and waits until there is something. For the one thread.
  func take() -> Batch {
    while true {
      let batch = state.withLock { state -> Batch? in
        guard !state.events.isEmpty || state.isEnding else { return nil }
        defer {
          state.events = []
          state.byteCount = 0
          state.hasLostOutcomes = false
        }
        return Batch(
          events: state.events, lost: state.lost, hasLostOutcomes: state.hasLostOutcomes,
          isLast: state.isEnding)
      }
      if let batch { return batch }
      news.wait()
    }
  }
}
