public import BudgetModel
import Dispatch
import Locks
public import Reconciliation
import Synchronization

/// A request that waits until the fleet was asked for room: the request as it came, and who is answered.
public struct WaitingCall: Sendable {
  /// Names the connection.
  public var connection: UInt64
  /// Names the call on its connection.
  public var id: UInt64
  /// The request's bytes.
  public var frame: [UInt8]

  /// Makes one.
  public init(connection: UInt64, id: UInt64, frame: [UInt8]) {
    self.connection = connection
    self.id = id
    self.frame = frame
  }
}

/// The place that requests which wait come from, and are answered at.
public protocol WaitingDesk: AnyObject, Sendable {
  /// Serves the request once more, and answers it unless it still lacks room.
  func tryAgain(_ call: WaitingCall) -> WaitingRoom.Outcome

  /// Answers a request that has waited in vain.
  func giveUp(_ call: WaitingCall, _ reason: WaitingEnd)
}

/// Why a request has waited in vain.
public enum WaitingEnd: Hashable, Sendable {
  /// As long as it may.
  case overdue
  /// The store is away, and nobody can be asked.
  case away
}

/// The requests that wait for the fleet's word on a reservation. Lanes leave them here; the thread that
/// talks to the store has them served again once it was asked; a timer ends those whose time is over,
/// also while the store hangs.
///
/// Nothing is called with the lock held. A request is answered once: by whoever takes it out.
public final class FleetWaiting: Sendable {
  fileprivate struct State {
    var room = WaitingRoom()
    var calls: [WaitingRoom.Ticket: Entry] = [:]
    /// Those of each connection, which may go.
    var ofConnection: [UInt64: Set<WaitingRoom.Ticket>] = [:]
    var lastTicket: WaitingRoom.Ticket = 0
    /// The one that is being served again.
    var tried: WaitingRoom.Ticket?
    /// Nobody can be asked: whoever comes is sent away at once.
    var isAway = false
    /// Somebody has come since the thread looked.
    var isRung = false
    var isArmed = false
    var counts = WaitingCounts()
  }

  fileprivate struct Entry {
    var call: WaitingCall
    var since: Duration
  }

  private let state = Locked(State())
  private let parts = Locked(Parts())
  private let isTimed = Atomic<Bool>(false)
  private let uptime: @Sendable () -> Duration

  private struct Parts {
    weak var desk: (any WaitingDesk)?
    var bell: (@Sendable () -> Void)?
  }

  /// How often the timer looks, while somebody waits.
  private static let look = DispatchTimeInterval.milliseconds(20)

  init(uptime: @escaping @Sendable () -> Duration) { self.uptime = uptime }

  /// Requests are served again, and answered, at `desk`.
  public func answer(at desk: any WaitingDesk) { parts.withLock { $0.desk = desk } }

  /// Whoever comes has `bell` called.
  public func whenEntered(_ bell: @escaping @Sendable () -> Void) {
    parts.withLock { $0.bell = bell }
  }

  /// From now on a timer ends those whose time is over.
  func beginTiming() { isTimed.store(true, ordering: .relaxed) }

  // MARK: - The lanes' side

  /// A request waits for what it lacks, `allowance` at most. False: nobody can be asked now.
  public func enter(
    _ call: WaitingCall, lacking lacks: [WaitingRoom.Lack], within allowance: Duration
  ) -> Bool {
    let now = uptime()
    let isTimed = isTimed.load(ordering: .relaxed)
    let (isIn, mustArm) = state.withLock { state -> (Bool, Bool) in
      guard !state.isAway else {
        state.counts.away += 1
        return (false, false)
      }
      state.lastTicket += 1
      let ticket = state.lastTicket
      state.calls[ticket] = Entry(call: call, since: now)
      state.ofConnection[call.connection, default: []].insert(ticket)
      state.room.enter(ticket, lacking: lacks, until: now + allowance)
      state.isRung = true
      state.counts.entered += 1
      defer { state.isArmed = state.isArmed || isTimed }
      return (true, isTimed && !state.isArmed)
    }
    guard isIn else { return false }
    if mustArm { arm() }
    let bell = parts.withLock { $0.bell }
    bell?()
    return true
  }

  /// Whether so much was refused a moment ago: asking again would find the same.
  public func isRefused(_ lack: WaitingRoom.Lack) -> Bool {
    let now = uptime()
    return state.withLock { $0.room.isRefused(lack, at: now) }
  }

  /// A connection has gone: nobody waits for an answer there.
  public func leave(_ connection: UInt64) {
    state.withLock { state in
      for ticket in state.ofConnection[connection] ?? [] {
        _ = state.take(ticket)
        state.counts.gone += 1
      }
    }
  }

  // MARK: - The side of the thread that talks to the store

  /// Whether somebody has come since the last time.
  func takeBell() -> Bool { state.withLock { exchange(&$0.isRung, with: false) } }

  /// How many wait.
  public var count: Int { state.withLock { $0.room.count } }

  /// Budgets for which something waits.
  var budgets: [BudgetKey] { state.withLock { $0.room.budgets } }

  /// The amounts that wait for a budget, for the call that lists them.
  func takeWaiting(for key: BudgetKey) -> [PicoUSD] {
    state.withLock { $0.room.takeWaiting(for: key) }
  }

  /// How long the longest of those that wait for a budget would be held.
  func longestTime(for key: BudgetKey) -> Duration {
    state.withLock { $0.room.longestTime(for: key) }
  }

  /// How much of a budget is needed by those that wait for another.
  func kept(of key: BudgetKey) -> PicoUSD { state.withLock { $0.room.kept(of: key) } }

  /// A call about the budget was answered: those that wait for it are served again, in order.
  func answered(_ key: BudgetKey, free: PicoUSD?) {
    guard let desk = parts.withLock({ $0.desk }) else { return }
    for ticket in state.withLock({ $0.room.tickets(for: key) }) {
      guard let call = state.withLock({ $0.begin(ticket) }) else { continue }
      var outcome = desk.tryAgain(call)
      if case .lacking(let lacks) = outcome {
        let answer = WaitingRoom.Answer(key: key, free: free, at: uptime())
        let isRefused = state.withLock { $0.room.isRefused(ticket, lacks, by: answer) }
        // The refusal is remembered: it is denied for it, or goes on to another candidate.
        if isRefused { outcome = desk.tryAgain(call) }
      }
      let now = uptime()
      state.withLock { $0.end(ticket, outcome, at: now) }
    }
  }

  /// Whether the store can be asked. Where it cannot, all that wait are answered.
  func setAway(_ isAway: Bool) {
    let calls = state.withLock { state in
      state.isAway = isAway
      return isAway ? state.takeAll() : []
    }
    if calls.isEmpty { return }
    let desk = parts.withLock { $0.desk }
    for call in calls { desk?.giveUp(call, .away) }
  }

  /// Answers those that have waited for as long as they may.
  func dropOverdue() {
    let now = uptime()
    let calls = state.withLock { $0.takeOverdue(at: now) }
    if calls.isEmpty { return }
    let desk = parts.withLock { $0.desk }
    for call in calls { desk?.giveUp(call, .overdue) }
  }

  private func arm() {
    DispatchQueue.global(qos: .userInitiated).asyncAfter(deadline: .now() + Self.look) {
      [weak self] in
      guard let self else { return }
      dropOverdue()
      let goesOn = state.withLock { state in
        state.isArmed = state.room.count > 0
        return state.isArmed
      }
      if goesOn { arm() }
    }
  }

  // MARK: - Seen

  /// Counts since the start.
  public var counts: WaitingCounts {
    state.withLock { state in
      var counts = state.counts
      counts.waiting = state.room.count
      return counts
    }
  }
}

extension FleetWaiting.State {
  mutating func begin(_ ticket: WaitingRoom.Ticket) -> WaitingCall? {
    guard let entry = calls[ticket] else { return nil }
    tried = ticket
    return entry.call
  }

  mutating func end(
    _ ticket: WaitingRoom.Ticket, _ outcome: WaitingRoom.Outcome, at now: Duration
  ) {
    tried = nil
    guard let since = calls[ticket]?.since else { return }
    switch outcome {
    case .decided:
      _ = take(ticket)
      counts.answered += 1
      counts.waits.add((now - since).nanoseconds)
    case .lacking(let lacks): room.moves(ticket, to: lacks)
    }
  }

  /// Takes a request out; nil: it is not there any more.
  mutating func take(_ ticket: WaitingRoom.Ticket) -> WaitingCall? {
    guard let call = calls.removeValue(forKey: ticket)?.call else { return nil }
    room.leave(ticket)
    ofConnection[call.connection]?.remove(ticket)
    if ofConnection[call.connection]?.isEmpty == true { ofConnection[call.connection] = nil }
    return call
  }

  mutating func takeOverdue(at now: Duration) -> [WaitingCall] {
    let taken = room.takeOverdue(at: now, besides: tried).compactMap { take($0) }
    counts.overdue += taken.count
    return taken
  }

  mutating func takeAll() -> [WaitingCall] {
    let taken = calls.keys.filter { $0 != tried }.sorted().compactMap { take($0) }
    counts.away += taken.count
    return taken
  }
}

/// Counts of requests that had to wait for the fleet's word.
public struct WaitingCounts: Equatable, Sendable {
  /// How many wait now.
  public var waiting = 0
  /// How many have come.
  public var entered = 0
  /// How many were held or denied.
  public var answered = 0
  /// How many have waited for as long as they may.
  public var overdue = 0
  /// How many could not wait, since the store is away.
  public var away = 0
  /// How many have gone with their connections.
  public var gone = 0
  /// How long those took that were answered, in nanoseconds.
  public var waits = Histogram(upperBounds: Self.bounds)

  private static let bounds: [Int64] = [
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000,
    500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000,
  ]

  init() {}
}
