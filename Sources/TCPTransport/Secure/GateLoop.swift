import BudgetModel
import Glibc
import Sockets
import TLS

/// The work of the gate's thread, which alone touches it.
final class GateLoop {
  /// One handshake.
  private final class Pending {
    let token: UInt64
    /// Nil once it was handed over.
    var line: Line?
    var peer: Peer
    let since: MonotonicInstant
    /// When our answer to its first message went out; nil: that has not come whole.
    var answeredAt: Int64?
    var receivedBytes = 0
    var unsent: [UInt8] = []
    var interest = Poller.readable

    /// Whether it has sent something that is not read yet.
    var hasUnreadBytes: Bool {
      switch line {
      case .some(let line): line.socket.hasUnreadBytes
      case .none: false
      }
    }

    init(
      _ token: UInt64, _ line: consuming Line, of peer: Peer, since: MonotonicInstant
    ) {
      self.token = token
      self.line = consume line
      self.peer = peer
      self.since = since
    }
  }

  /// A step's outcome.
  private enum Step {
    /// It waits for its peer.
    case waits
    /// It is done, with what came behind its end.
    case done(LaneInbox.Beginning)
    /// It is over; nil: the peer left.
    case failed(TLSFailure?)
  }

  private static let turnBytes = 16 * 1024
  /// With the gate full: the parts of a handshake's time that one of the address with the most may wait
  /// for its peer before and after our answer. A peer that means it sends its first message as it
  /// connects, and the next after one way there and back.
  private static let silentPart: Int64 = 250
  private static let answeredPart: Int64 = 20
  /// How often such are looked for, in milliseconds.
  private static let fullWait: Int32 = 10

  private let gate: Gate
  private let poller: Poller
  private let placement: Placement
  private let bounds: TransportBounds
  private let watcher: @Sendable (TLSFailure, Peer) -> Void
  private let scratch = ScratchBuffer(byteCount: turnBytes)
  private let plaintext = ScratchBuffer(byteCount: turnBytes + TLSSession.extraBytes)
  private var pending: [UInt64: Pending] = [:]
  private var nextToken: UInt64 = 0

  init(
    _ gate: Gate, poller: consuming Poller, placement: Placement, bounds: TransportBounds,
    watcher: @escaping @Sendable (TLSFailure, Peer) -> Void
  ) {
    self.gate = gate
    self.poller = poller
    self.placement = placement
    self.bounds = bounds
    self.watcher = watcher
  }

  /// Waits for something to do, and does it.
  func turn() {
    let count = poller.take(
      waitingMilliseconds: pending.isEmpty ? -1 : gate.isFull ? Self.fullWait : 100)
    for arrival in gate.arrivals() { adopt(arrival) }
    for index in 0..<count {
      let (token, events) = poller.entry(index)
      guard let one = pending[token] else { continue }
      if events & Poller.writable != 0 { flush(one) }
      if events & (Poller.readable | Poller.broken) != 0 { settle(one, step(one)) }
    }
    endOverdue()
  }

  /// Closes what is under way.
  func closeAll() {
    for _ in gate.arrivals() { gate.ended(TLSFailure(.other, "the server stopped")) }
    for one in pending.values { end(one, TLSFailure(.other, "the server stopped")) }
  }

  private func adopt(_ arrival: LaneInbox.Arrival) {
    guard let line = arrival.take() else { return }
    let session: TLSSession
    do throws(TLSFailure) {
      session = try TLSSession(accepting: gate.context)
    } catch {
      gate.ended(error)
      return
    }
    let token = nextToken
    nextToken += 1
    guard poller.add(line.socket, events: Poller.readable, token: token) else {
      gate.ended(TLSFailure(.other, "the kernel has no room"))
      return
    }
    pending[token] = Pending(token, line.secured(by: session), of: arrival.peer, since: .now())
  }

  /// Takes in what has come.
  private func step(_ one: Pending) -> Step {
    switch received(one) {
    case .bytes(let count):
      one.receivedBytes += count
      let step = open(count, one)
      if one.receivedBytes > bounds.handshakeBytes, case .waits = step {
        return .failed(TLSFailure(.other, "more than \(bounds.handshakeBytes) bytes of handshake"))
      }
      return step
    case .wouldBlock: return .waits
    case .ended, .failed: return .failed(nil)
    }
  }

  private func received(_ one: Pending) -> Transfer {
    switch one.line {
    case .some(let line): scratch.receive(from: line.socket, limit: Self.turnBytes)
    case .none: .ended
    }
  }

  private func open(_ count: Int, _ one: Pending) -> Step {
    let result = scratch.withBytes(0..<count) { ciphertext in
      plaintext.withMutableBytes { room in
        one.line?.session?.open(ciphertext, into: &room, toSend: &one.unsent)
      }
    }
    guard let (opened, outcome) = result else { return .failed(nil) }
    if one.answeredAt == nil, !one.unsent.isEmpty {
      one.answeredAt = MonotonicInstant.now().nanoseconds
    }
    flush(one)
    if case .failed(let failure) = outcome { return .failed(failure) }
    guard one.line?.session?.isEstablished == true else {
      return outcome == .ended ? .failed(nil) : .waits
    }
    one.peer.certificateNames = one.line?.session?.peerNames ?? []
    var beginning = LaneInbox.Beginning(isAll: outcome == .ended)
    plaintext.append(0..<opened, to: &beginning.bytes)
    return .done(beginning)
  }

  /// Sends what waits, as far as the socket takes it.
  private func flush(_ one: Pending) {
    switch one.line {
    case .some(let line):
      if !one.unsent.isEmpty, case .bytes(let count) = line.socket.send(one.unsent, from: 0) {
        one.unsent.removeFirst(count)
      }
      let wanted = Poller.readable | (one.unsent.isEmpty ? 0 : Poller.writable)
      if wanted != one.interest {
        one.interest = wanted
        poller.modify(line.socket, events: wanted, token: one.token)
      }
    case .none: break
    }
  }

  private func settle(_ one: Pending, _ step: Step) {
    switch step {
    case .waits: break
    case .failed(let failure):
      end(one, failure ?? TLSFailure(.other, "the peer left during the handshake"))
    case .done(let beginning):
      guard one.unsent.isEmpty else {
        // A server has nothing to say after its peer's last message, so this peer reads nothing.
        end(one, TLSFailure(.other, "the peer does not read"))
        return
      }
      pending[one.token] = nil
      guard let line = one.line.take() else { return }
      poller.remove(line.socket)
      gate.ended(nil)
      placement.place(line, of: one.peer, beginning)
    }
  }

  private func end(_ one: Pending, _ failure: TLSFailure) {
    pending[one.token] = nil
    // An alert that tells the peer why is in the socket; closing with bytes unread would reset the
    // connection and lose it, so what has come is read away.
    switch one.line {
    case .some(let line):
      line.socket.shutdownSending()
      _ = scratch.receive(from: line.socket, limit: Self.turnBytes)
    case .none: break
    }
    one.line = nil
    gate.ended(failure)
    watcher(failure, one.peer)
  }

  /// Ends handshakes that take too long: with the gate full, a fifth of the time is too long.
  private func endOverdue() {
    guard !pending.isEmpty else { return }
    let whole = bounds.handshakeDuration.nanoseconds
    let allowed = gate.isFull ? whole / 5 : whole
    let now = MonotonicInstant.now().nanoseconds
    for one in pending.values where now - one.since.nanoseconds >= allowed {
      end(one, TLSFailure(.timeout, "the handshake was not done in time"))
    }
    if gate.isFull { makeRoom(at: now) }
  }

  /// The address that has the most handshakes gives up those that wait for their peers. Not simply the
  /// oldest: where many clients come from one address at once, and no other is there, none would get
  /// to the end of its handshake.
  private func makeRoom(at now: Int64) {
    let counts = pending.values.reduce(into: [:]) { $0[$1.peer.address, default: 0] += 1 }
    guard let most = counts.max(by: { $0.value < $1.value }), most.value > 1 else { return }
    let whole = bounds.handshakeDuration.nanoseconds
    for one in pending.values where one.peer.address == most.key {
      let isOverdue =
        one.answeredAt.map { now - $0 >= whole / Self.answeredPart }
        ?? (now - one.since.nanoseconds >= whole / Self.silentPart)
      // Bytes that wait are our delay, not the peer's.
      guard isOverdue, !one.hasUnreadBytes else { continue }
      end(one, TLSFailure(.timeout, "the handshake made room: its address has the most under way"))
    }
  }
}
