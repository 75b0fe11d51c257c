import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetWire
import Reconciliation
import Sockets
import TCPTransport

// Reservations that wait: a budget has room, and the fleet is to be asked before this node takes it.

extension BudgetService {
  /// Notes what the request under way lacks. False: the budgets are gone, and the names are to be looked up
  /// anew.
  mutating func note(lacking rooms: [LackingRoom], for ttl: Int64) -> Bool {
    reserving.lacks.removeAll(keepingCapacity: true)
    for room in rooms {
      guard let key = context.engine.key(of: room) else { continue }
      reserving.lacks.append(
        WaitingRoom.Lack(key, room.needed, for: .milliseconds(ttl)))
    }
    return !reserving.lacks.isEmpty
  }

  /// The request is answered once the fleet was asked.
  @inline(never)
  mutating func wait(_ call: Call, _ frame: RawSpan) throws(ServiceRefusal) -> FrameOutcome {
    guard let fleet = context.fleet else { throw ServiceRefusal(notReserved: .deferred) }
    let waiting = WaitingCall(
      connection: call.connection.word, id: call.id, frame: RequestHead.copy(of: frame))
    let isIn = fleet.waiting.enter(
      waiting, lacking: reserving.lacks, within: call.allowance(atMost: fleet.reserveWait))
    guard isIn else {
      throw ServiceRefusal(
        waitedInVain: .away, extending: call.method == MethodName.extendReservation.position)
    }
    return .deferred
  }

  /// Serves a request that has waited. Returns what it still lacks; nil: `output` has its answer.
  mutating func serveAgain(
    _ waiting: WaitingCall, _ frame: RawSpan, output: inout [UInt8]
  ) -> [WaitingRoom.Lack]? {
    defer { endTurn() }
    var isAnswered = true
    var method = CountedMethod.unknown
    do throws(ServiceRefusal) {
      let head = try ServiceRefusal.head(of: frame, context.bounds)
      let call = Call(
        head, from: ConnectionID(word: waiting.connection), receivedAt: MonotonicInstant.now())
      method = call.method
      switch head.method {
      case .reserveSpend: isAnswered = try reserveSpend(head, output: &output)
      case .extendReservation: isAnswered = try extendReservation(head, output: &output)
      default: isAnswered = try filterDeployments(call, head, output: &output)
      }
    } catch {
      reply(error.status, to: waiting.id, output: &output)
    }
    guard isAnswered else { return reserving.lacks }
    counts.count(method, answer)
    answer = .ok
    return nil
  }
}

extension Call {
  /// How long the caller still waits, or `most`.
  fileprivate func allowance(atMost most: Duration) -> Duration {
    guard timeoutMilliseconds > 0 else { return most }
    let passed = MonotonicInstant.now().duration(since: receivedAt)
    return max(.zero, min(most, .milliseconds(Int64(timeoutMilliseconds)) - passed))
  }
}

extension ServiceContext {
  /// A reservation has ended here: if another node made it, that one is told.
  func tellMaker(of reservation: ReservationID, _ wasSettled: Bool) {
    guard let fleet, !engine.isOwn(reservation) else { return }
    fleet.hasEnded(reservation, wasSettled: wasSettled)
  }

  /// Whether the fleet has refused so much of a budget a moment ago.
  func isRefused(_ room: LackingRoom) -> Bool {
    guard let waiting = fleet?.waiting, let key = engine.key(of: room) else { return false }
    return waiting.isRefused(WaitingRoom.Lack(key, room.needed))
  }

  /// A lane's scratch for filters that reserve.
  func round(at now: Timestamp) -> CandidateRound {
    var round = CandidateRound(at: now)
    if fleet != nil { round.isRefused = { isRefused($0) } }
    return round
  }
}

extension ServiceRefusal {
  /// The head of a frame that was taken for a request before.
  fileprivate static func head(
    of frame: RawSpan, _ bounds: WireBounds
  ) throws(ServiceRefusal) -> RequestHead {
    do throws(WireRefusal) {
      return try RequestHead(frame: frame, bounds: bounds)
    } catch {
      throw ServiceRefusal(error.status)
    }
  }

  /// Why nothing was reserved for a request that waited for the fleet.
  init(waitedInVain reason: WaitingEnd, extending: Bool = false) {
    if extending {
      self.init(
        .unavailable,
        "not extended: the fleet was not told in time (--reserve-wait, or timeout_ms), or Redis is "
          + "away; the reservation ends when it would have: try again before that")
      return
    }
    switch reason {
    case .overdue:
      self.init(
        .unavailable,
        "not reserved: the fleet was not asked for room in time (--reserve-wait, or timeout_ms); "
          + "try again, or ask without a reservation")
    case .away:
      self.init(
        .unavailable,
        "not reserved: what the fleet has granted this node is taken, and Redis is away, so nobody "
          + "can be asked for more; try again, or ask without a reservation")
    }
  }
}
