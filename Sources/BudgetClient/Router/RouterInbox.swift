import BudgetModel
import BudgetWire
import Locks
import Sockets
import TCPTransport

/// The way into the loop: anybody puts something in, the loop takes all of it at once. Beside it the
/// numbers that are judged without waiting for the loop.
final class RouterInbox: Sendable {
  typealias Caller = CheckedContinuation<RouterCore.Outcome, Never>

  enum Input: Sendable {
    case ask(UInt64, RouterCore.Ask, Caller)
    case cancel(UInt64)
    case owe(Owed)
    case connected(place: Int, generation: Int, ClientConnection, introduction: [UInt8]?)
    case connectFailed(place: Int, generation: Int, reason: String)
    case event(place: Int, generation: Int, ClientEvent)
    case sendEnded(place: Int, generation: Int, SendOutcome)
    case flush(UInt64, until: MonotonicInstant, CheckedContinuation<Void, Never>)
    case endFlush(UInt64)
    case timePassed
    case close(CheckedContinuation<Void, Never>?)
  }

  private struct State {
    var inputs: [Input] = []
    var isTurnDue = false
    var isClosed = false
    var owed = 0
    var preferred = 0
    var stats = RouterStats()
  }

  private let state = Locked(State())

  /// Puts something in; true: a turn of the loop is to be begun for it.
  func put(_ input: Input) -> Bool {
    state.withLock { state in
      state.inputs.append(input)
      if state.isTurnDue { return false }
      state.isTurnDue = true
      return true
    }
  }

  func takeAll() -> [Input] {
    state.withLock { state in
      state.isTurnDue = false
      return exchange(&state.inputs, with: [])
    }
  }

  // MARK: - Numbers

  /// Counts one more that is owed, where that is allowed.
  func count(atMost bound: Int) throws(RouterError) {
    let error: RouterError? = state.withLock { state in
      if state.isClosed { return .closed }
      if state.owed >= bound { return .outboxFull(count: bound) }
      state.owed += 1
      return nil
    }
    if let error { throw error }
  }

  /// Counts one more that has to be owed: it was before, or may be forgotten.
  func count() { state.withLock { $0.owed += 1 } }

  var owed: Int { state.withLock { $0.owed } }
  var isClosed: Bool { state.withLock { $0.isClosed } }
  var preferred: Int { state.withLock { $0.preferred } }

  var stats: RouterStats {
    state.withLock { state in
      var stats = state.stats
      stats.owed = state.owed
      return stats
    }
  }

  /// The policy has answered a question in the place of budgetd.
  func countUnavailable() { state.withLock { $0.stats.unavailable += 1 } }

  /// The loop's numbers after a turn; gives how many are owed then.
  func publish(_ core: inout RouterCore) -> Int {
    let (stats, endings, preferred) = (core.stats, core.endings, core.preferred)
    core.endings = 0
    return state.withLock { state in
      let unavailable = state.stats.unavailable
      state.stats = stats
      state.stats.unavailable = unavailable
      state.owed -= endings
      state.preferred = preferred
      return state.owed
    }
  }

  /// From now on nothing more is taken; gives how many are owed. Nil: it was closed before.
  func close() -> Int? {
    state.withLock { state in
      if state.isClosed { return nil }
      state.isClosed = true
      return state.owed
    }
  }
}
