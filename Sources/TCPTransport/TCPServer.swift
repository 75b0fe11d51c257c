public import Sockets
import Synchronization
public import TLS

/// A server of length-prefixed frames over TCP.
///
/// It listens from the moment it is made, so the port is known and nobody is turned away; it
/// accepts from `start` on. When the last reference goes, everything is closed at once.
public final class TCPServer: Sendable {
  /// The endpoints that it listens at: with port 0 asked for, the port that was free.
  public let endpoints: [Endpoint]
  /// The mailbox for replies to deferred requests.
  public let replies: ReplyMailbox
  /// How many descriptors the process may have, after the server asked for as many as its bounds
  /// call for.
  public let descriptorLimit: Int
  /// Whether that is fewer than the bounds call for: then there may be fewer connections.
  public let isDescriptorLimitTooLow: Bool
  /// The bounds it was made with, fitted to the descriptors that there are.
  public let bounds: TransportBounds

  private let held: HeldBytes
  private let lanes: [Lane]
  private let acceptors: [Acceptor]
  private let placement: Placement
  private let gate: Gate?
  private let hasStarted = Atomic<Bool>(false)

  /// One lane on a machine of up to two processors, else two: the ledger and whoever shares the
  /// machine run beside them. With two lanes on two processors each request wakes a thread that has
  /// to wait for another's: 64 connections with one request each got half as many answers.
  public static var defaultLaneCount: Int { SystemCalls.processorCount() > 2 ? 2 : 1 }

  /// Listens at `endpoints`.
  ///
  /// `makeHandler` is called once per lane, here. With `security` every connection over TCP is
  /// encrypted; those to Unix sockets never are.
  ///
  /// - Throws: `TransportError` when one of them cannot be listened at, or `lanes` is not in
  ///   1 to `LaneIndex.bound`.
  public init(
    endpoints: Endpoints, bounds: TransportBounds = .standard, lanes laneCount: Int? = nil,
    rest: LaneRest = .standard, security: TransportSecurity? = nil,
    makeHandler: @Sendable (LaneIndex, ReplyMailbox) -> sending any FrameHandler
  ) throws(TransportError) {
    let laneCount = laneCount ?? Self.defaultLaneCount
    guard (1...LaneIndex.bound).contains(laneCount) else { throw .invalidLaneCount(laneCount) }
    descriptorLimit = SystemCalls.raiseDescriptorLimit(to: bounds.descriptors)
    isDescriptorLimitTooLow = descriptorLimit < bounds.descriptors
    let bounds = bounds.fitted(to: descriptorLimit)
    self.bounds = bounds
    var inboxes: [LaneInbox] = []
    for _ in 0..<laneCount {
      inboxes.append(try TransportError.socket { () throws(SocketError) in try LaneInbox() })
    }
    let replies = ReplyMailbox(inboxes: inboxes)
    self.replies = replies
    held = HeldBytes(bound: bounds.unsentTotalBytes, inboxes: inboxes)
    let settings = LaneSettings(
      bounds: bounds, rest: rest, held: held,
      shares: bounds.perClient.isNone ? nil : ClientShares(bounds.perClient, inboxes: inboxes),
      isSecure: security != nil)
    var lanes: [Lane] = []
    for (number, inbox) in inboxes.enumerated() {
      let index = LaneIndex(number)
      let handler = makeHandler(index, replies)
      lanes.append(
        try Lane(index: index, inbox: inbox, settings: settings, handler: handler))
    }
    self.lanes = lanes
    placement = Placement(lanes: lanes, bounds: bounds)
    gate = try TransportError.socket { [placement] () throws(SocketError) in
      guard let security else { return nil }
      return try Gate(security, placement: placement, bounds: bounds)
    }
    (acceptors, self.endpoints) = try Self.listen(endpoints, placement, gate, bounds)
  }

  private static func listen(
    _ wanted: Endpoints, _ placement: Placement, _ gate: Gate?, _ bounds: TransportBounds
  ) throws(TransportError) -> ([Acceptor], [Endpoint]) {
    var acceptors: [Acceptor] = []
    var found: [Endpoint] = []
    do throws(SocketError) {
      for place in 0..<(wanted.all.count + wanted.inherited.count) {
        let listener = try wanted.listener(place)
        let endpoint = listener.localEndpoint
        found.append(endpoint)
        acceptors.append(
          Acceptor(
            listener: listener, placement: placement, gate: endpoint.address == nil ? nil : gate,
            bounds: bounds))
      }
    } catch {
      // Those before leave no files behind.
      for acceptor in acceptors { acceptor.stop {} }
      gate?.stop()
      throw .socket(error)
    }
    return (acceptors, found)
  }

  /// The endpoints to listen at.
  public struct Endpoints: Sendable {
    /// All of them.
    public var all: [Endpoint]
    /// Who may connect to those that are Unix sockets, as a file's permissions.
    public var unixMode: UInt32
    /// Those that listen already, taken over with the queue of whoever waits there.
    public var inherited: [InheritedSocket]

    /// Makes a list of endpoints.
    public init(
      _ all: [Endpoint], unixMode: UInt32 = 0o660, inherited: [InheritedSocket] = []
    ) {
      self.all = all
      self.unixMode = unixMode
      self.inherited = inherited
    }

    /// The socket of one place, the inherited ones behind the others.
    fileprivate func listener(_ place: Int) throws(SocketError) -> ListeningSocket {
      place < all.count
        ? try ListeningSocket(all[place], backlog: 4_096, mode: unixMode)
        : ListeningSocket(adopting: inherited[place - all.count])
    }
  }

  /// Listens on one address.
  public convenience init(
    address: SocketAddress, bounds: TransportBounds = .standard, lanes laneCount: Int? = nil,
    rest: LaneRest = .standard, security: TransportSecurity? = nil,
    makeHandler: @Sendable (LaneIndex, ReplyMailbox) -> sending any FrameHandler
  ) throws(TransportError) {
    try self.init(
      endpoints: Endpoints([.tcp(address)]), bounds: bounds, lanes: laneCount, rest: rest,
      security: security, makeHandler: makeHandler)
  }

  /// The first address that it listens on, of a server that listens on one.
  public var localAddress: SocketAddress {
    guard let address = endpoints.lazy.compactMap(\.address).first else {
      preconditionFailure("this server listens at Unix sockets only")
    }
    return address
  }

  deinit {
    for acceptor in acceptors { acceptor.stop {} }
    gate?.stop()
    for lane in lanes { lane.stop() }
  }

  /// Sets who is told of memory that connections took or gave back; on a lane, so it must not wait.
  public func watchMemory(_ tell: @escaping @Sendable (MemoryNotice) -> Void) { held.watch(tell) }

  /// Puts other certificates and rules in force for connections from now on; open ones keep theirs.
  /// Only of a server that was made with `security`.
  public func renew(_ context: TLSContext) { gate?.renew(context) }

  /// Begins to accept and serve. Calling it again does nothing.
  public func start() {
    if hasStarted.exchange(true, ordering: .relaxed) { return }
    for lane in lanes { lane.start() }
    for acceptor in acceptors { acceptor.start() }
  }

  /// Stops accepting, lets requests under way finish and their replies reach their peers, and
  /// closes every connection; returns when all are closed, `deadline` from now at the latest.
  ///
  /// Connections with nothing under way are closed at once. Frames that had arrived get one last
  /// turn; what comes later is answered by the refusal `draining`. Says how many connections were
  /// cut off with something still under way. The server cannot be started again.
  @discardableResult
  public func drain(within deadline: Duration) async -> Int {
    let until = MonotonicInstant.now().advanced(by: deadline)
    for acceptor in acceptors {
      await withCheckedContinuation { continuation in acceptor.stop { continuation.resume() } }
    }
    gate?.stop()
    guard hasStarted.load(ordering: .relaxed) else { return 0 }
    await withTaskGroup(of: Void.self) { group in
      for lane in lanes {
        group.addTask { await lane.drained(by: until) }
      }
    }
    return Int(counters.cutOffByDrain)
  }

  /// Has each lane call `done` when it next goes round: one that hangs never does. Says how many calls
  /// there will be.
  public func answer(_ done: @escaping @Sendable () -> Void) -> Int {
    lanes.reduce(0) { $0 + ($1.inbox.post { $0.calls.append(done) } ? 1 : 0) }
  }

  /// The counters so far. Takes a few loads per lane.
  public var counters: TransportCounters {
    var sum = TransportCounters()
    for lane in lanes { sum.add(lane.counters) }
    sum.connectionsRefused += placement.refusedUnheard.load(ordering: .relaxed)
    sum.handshakes = gate?.counted
    sum.heldBytes = held.total
    for acceptor in acceptors { sum.acceptPauses += acceptor.pauses.load(ordering: .relaxed) }
    return sum
  }
}

extension Lane {
  /// Orders the lane to drain and waits until it has.
  fileprivate nonisolated func drained(by until: MonotonicInstant) async {
    await withCheckedContinuation { continuation in
      let order = LaneInbox.DrainOrder(until: until) { continuation.resume() }
      if !inbox.post({ $0.drains.append(order) }) { continuation.resume() }
    }
  }
}
