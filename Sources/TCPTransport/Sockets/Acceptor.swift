import BudgetModel
import Dispatch
import Glibc
import Synchronization

/// Takes connections from the listening socket and hands each to the lane with the fewest.
actor Acceptor {
  /// Connections taken before others on the queue get a turn.
  private static let batch = 256

  private nonisolated let executor = DispatchExecutor(label: "budgetd.acceptor")
  private let lanes: [Lane]
  private let bounds: TransportBounds
  private var listener: Descriptor?
  private var source: (any DispatchSourceRead)?
  private var isPaused = false
  private var whenStopped: [@Sendable () -> Void] = []
  nonisolated let pauses = Atomic<UInt64>(0)
  nonisolated let refusedUnheard = Atomic<UInt64>(0)

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  init(listener: consuming Descriptor, lanes: [Lane], bounds: TransportBounds) {
    self.lanes = lanes
    self.bounds = bounds
    self.listener = consume listener
  }

  /// Begins to accept. Until `stop` the queue's source keeps the acceptor alive.
  nonisolated func start() {
    executor.queue.async { self.assumeIsolated { $0.begin() } }
  }

  /// Stops accepting and closes the listening socket, then calls `done`.
  nonisolated func stop(_ done: @escaping @Sendable () -> Void) {
    executor.queue.async { self.assumeIsolated { $0.end(done) } }
  }

  private func begin() {
    guard source == nil, let number = listenerNumber() else { return }
    let source = DispatchSource.makeReadSource(fileDescriptor: number, queue: executor.queue)
    source.setEventHandler { self.assumeIsolated { $0.acceptBatch() } }
    source.setCancelHandler { self.assumeIsolated { $0.ended() } }
    self.source = source
    source.activate()
  }

  private func listenerNumber() -> Int32? {
    switch listener {
    case .some(let descriptor): descriptor.number
    case .none: nil
    }
  }

  private func end(_ done: @escaping @Sendable () -> Void) {
    whenStopped.append(done)
    guard let source else {
      ended()
      return
    }
    // A source that is suspended would never come to its end.
    if isPaused { source.resume() }
    isPaused = false
    source.cancel()
  }

  /// Dispatch is done with the descriptor.
  private func ended() {
    source = nil
    listener = nil
    for done in exchange(&whenStopped, with: []) { done() }
  }

  private func acceptBatch() {
    var taken = 0
    while taken < Self.batch, let result = acceptOne() {
      switch result {
      case .success(let number):
        taken += 1
        place(Descriptor(adopting: number))
      case .failure(let failure):
        switch failure.code {
        case EAGAIN: return
        // That connection has gone; the next one may be there.
        case ECONNABORTED, EPROTO, EPERM: taken += 1
        default:
          // EMFILE, ENFILE, ENOMEM, ENOBUFS: the queue stays readable, so looking again at once
          // would take the whole processor without getting any further.
          pause()
          return
        }
      }
    }
  }

  private func acceptOne() -> Result<Int32, SystemFailure>? {
    switch listener {
    case .some(let descriptor): descriptor.accept()
    case .none: nil
    }
  }

  private func place(_ socket: consuming Descriptor) {
    socket.disableDelay()
    var open = 0
    var refusals = 0
    var fewest = Int.max
    var chosen = 0
    for (index, lane) in lanes.enumerated() {
      let count = lane.counters.connectionsOpen.load(ordering: .relaxed)
      open += count
      refusals += lane.counters.refusalsUnderWay.load(ordering: .relaxed)
      if count < fewest { (fewest, chosen) = (count, index) }
    }
    let isOverBound = open >= bounds.connections
    if isOverBound, refusals >= bounds.refusalsUnderWay {
      refusedUnheard.add(1, ordering: .relaxed)
      return
    }
    let peer = Peer(of: socket)
    let counters = lanes[chosen].counters
    if isOverBound {
      counters.refusalsUnderWay.add(1, ordering: .relaxed)
    } else {
      counters.connectionsOpen.add(1, ordering: .relaxed)
    }
    let arrival = LaneInbox.Arrival(socket, of: peer, isOverBound: isOverBound)
    lanes[chosen].inbox.post { $0.arrivals.append(arrival) }
  }

  private func pause() {
    guard !isPaused, let source else { return }
    isPaused = true
    pauses.add(1, ordering: .relaxed)
    source.suspend()
    let nanoseconds = Int(bounds.acceptPause.nanoseconds)
    executor.queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) {
      self.assumeIsolated { $0.resume() }
    }
  }

  private func resume() {
    guard isPaused, let source else { return }
    isPaused = false
    source.resume()
  }
}

/// A socket that listens for another server of the process, on an address as this one reads them.
public struct ListeningSocket: ~Copyable {
  /// The address that it listens on: with port 0 asked for, the port that was free.
  public let localAddress: SocketAddress
  private let descriptor: Descriptor

  /// Listens on `address`.
  ///
  /// - Throws: `TransportError` when it cannot be listened on.
  public init(_ address: SocketAddress) throws(TransportError) {
    descriptor = try Descriptor.listener(on: address, backlog: 128)
    localAddress = ResolvedAddress(localOf: descriptor)?.socketAddress ?? address
  }

  /// Gives the descriptor away: the caller closes it.
  public consuming func release() -> Int32 { descriptor.release() }
}
