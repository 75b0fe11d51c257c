import Foundation
import Locks
import Sockets
import Synchronization
public import TLS

/// How a server encrypts.
public struct TransportSecurity: Sendable {
  /// Certificates and rules at the start.
  public var context: TLSContext
  /// Is told of each handshake that failed, on a thread of the server's: it must not wait.
  public var watcher: @Sendable (TLSFailure, Peer) -> Void

  /// Makes the security of a server.
  public init(
    _ context: TLSContext, watcher: @escaping @Sendable (TLSFailure, Peer) -> Void = { _, _ in }
  ) {
    self.context = context
    self.watcher = watcher
  }
}

/// Does the handshakes of new connections, then hands these to their lanes.
///
/// A handshake takes some 400 us of a processor, a hundred times a request: in a lane a few peers
/// that do nothing else would hold up everybody. So it has a thread of its own, which gives way to
/// the lanes, and knows no frames.
final class Gate: Sendable {
  private let mail = Locked<[LaneInbox.Arrival]>([])
  private let wakeup: Wakeup
  private let underWay = Atomic<Int>(0)
  private let isStopped = Atomic<Bool>(false)
  private let bound: Int
  private let counts = Locked(HandshakeCounts())
  private let inForce: Locked<TLSContext>

  /// Begins to work.
  init(
    _ security: TransportSecurity, placement: Placement, bounds: TransportBounds
  ) throws(SocketError) {
    inForce = Locked(security.context)
    bound = bounds.handshakes
    wakeup = try Wakeup()
    let poller = try Poller()
    guard poller.add(wakeup) else {
      throw .system(call: "epoll_ctl", errno: ENOSPC, address: nil)
    }
    let entrance = Locked<Poller?>(poller)
    // It has the gate until `stop`.
    let thread = Thread { [self] in
      guard let poller = entrance.withLock({ $0.take() }) else { return }
      SystemCalls.yieldToOtherThreads()
      let loop = GateLoop(
        self, poller: poller, placement: placement, bounds: bounds,
        watcher: security.watcher)
      while !isStopped.load(ordering: .relaxed) { loop.turn() }
      loop.closeAll()
    }
    thread.name = "tls"
    thread.start()
  }

  /// The certificates and rules of handshakes from now on; those under way keep theirs.
  var context: TLSContext { inForce.withLock { $0 } }

  /// Puts another one in force.
  func renew(_ context: TLSContext) { inForce.withLock { $0 = context } }

  /// Whether as many handshakes are under way as may be.
  var isFull: Bool { underWay.load(ordering: .relaxed) >= bound }

  /// The outcomes so far.
  var counted: HandshakeCounts {
    var counted = counts.withLock { $0 }
    counted.underWay = underWay.load(ordering: .relaxed)
    return counted
  }

  /// Takes a connection in.
  func enter(_ socket: consuming Descriptor, of peer: Peer) {
    underWay.add(1, ordering: .relaxed)
    let arrival = LaneInbox.Arrival(Line(socket), of: peer, .init(), isOverBound: false)
    mail.withLock { $0.append(arrival) }
    wakeup.ring()
  }

  /// Closes what is under way and ends the thread.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    wakeup.ring()
  }

  /// The connections that came since the last call.
  func arrivals() -> [LaneInbox.Arrival] { mail.withLock { exchange(&$0, with: []) } }

  /// A handshake came to an end; nil: it was done.
  func ended(_ failure: TLSFailure?) {
    underWay.subtract(1, ordering: .relaxed)
    counts.withLock { counts in
      if let failure {
        counts.failed[failure.kind, default: 0] += 1
      } else {
        counts.done += 1
      }
    }
  }
}
