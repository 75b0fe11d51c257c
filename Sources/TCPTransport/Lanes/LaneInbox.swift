import Locks
import Sockets
import Synchronization

/// Mail from other threads to a lane. Posting costs a short lock, and a wake only if it sleeps.
final class LaneInbox: Sendable {
  /// The bytes that came together with the end of a handshake, decrypted.
  struct Beginning {
    var bytes: [UInt8] = []
    /// The peer's goodbye came behind them.
    var isAll = false
  }

  /// A connection on its way to its lane.
  final class Arrival: Sendable {
    let peer: Peer
    let isOverBound: Bool
    let beginning: Beginning
    private let line: Locked<Line?>

    init(_ line: consuming Line, of peer: Peer, _ beginning: Beginning, isOverBound: Bool) {
      self.peer = peer
      self.isOverBound = isOverBound
      self.beginning = beginning
      self.line = Locked(line)
    }

    /// Hands the line over, once.
    func take() -> Line? { line.withLock { $0.take() } }
  }

  /// An order to drain, and who waits for it.
  struct DrainOrder {
    let until: MonotonicInstant
    let done: @Sendable () -> Void
  }

  struct Mail {
    var arrivals: [Arrival] = []
    var replies: [ReplyBatch] = []
    var drains: [DrainOrder] = []
    var dismissals: [ConnectionID] = []
    var resumes: [ConnectionID] = []
    var mustReview = false
    var calls: [@Sendable () -> Void] = []
    var mustRelieve = false
    var mustStop = false

    var isEmpty: Bool {
      arrivals.isEmpty && replies.isEmpty && drains.isEmpty && calls.isEmpty && dismissals.isEmpty
        && resumes.isEmpty && !mustReview && !mustRelieve && !mustStop
    }
  }

  /// The step that makes the lane look at its mail.
  enum LaneState {
    /// It runs, or has been asked to: nothing.
    case awake
    /// It keeps its thread and waits for its sockets: the wakeup.
    case waiting
    /// It gave its thread back: its queue.
    case asleep
  }

  private struct State {
    var mail = Mail()
    var lane = LaneState.awake
    var isClosed = false
    var wake: (@Sendable () -> Void)?
  }

  let wakeup: Wakeup
  private let state = Locked(State())
  private let hasMailFlag = Atomic<Bool>(false)

  init() throws(SocketError) { wakeup = try Wakeup() }

  /// Whether there is mail, without a lock.
  @inline(__always)
  var hasMail: Bool { hasMailFlag.load(ordering: .relaxed) }

  /// Changes the mail; false, and nothing done, once the inbox is closed.
  @discardableResult
  func post(_ change: (inout Mail) -> Void) -> Bool {
    let (isTaken, before, wake) = state.withLock {
      state -> (Bool, LaneState, (@Sendable () -> Void)?) in
      if state.isClosed { return (false, .awake, nil) }
      change(&state.mail)
      hasMailFlag.store(true, ordering: .relaxed)
      return (true, exchange(&state.lane, with: .awake), state.wake)
    }
    switch before {
    case .awake: break
    case .waiting: wakeup.ring()
    case .asleep: wake?()
    }
    return isTaken
  }

  /// Sets how the lane is woken. Until it first slept it counts as awake.
  func open(wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

  /// The lane runs: from here to `mayRest` no one has to wake it.
  func awake() { state.withLock { $0.lane = .awake } }

  /// Whether the lane may rest: false when mail came in the meantime.
  func mayRest(_ rest: LaneState) -> Bool {
    state.withLock { state in
      guard state.mail.isEmpty else { return false }
      state.lane = rest
      return true
    }
  }

  /// Takes all there is.
  func take() -> Mail {
    state.withLock { state in
      hasMailFlag.store(false, ordering: .relaxed)
      return exchange(&state.mail, with: Mail())
    }
  }

  /// Takes what is left and lets nothing more in.
  func close() -> Mail {
    state.withLock { state in
      state.isClosed = true
      state.wake = nil
      return exchange(&state.mail, with: Mail())
    }
  }
}
