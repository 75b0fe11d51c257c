import BudgetModel
import Dispatch
import Glibc
import Sockets
import Synchronization

/// Takes connections from the listening socket and hands each to a lane, those to be encrypted to
/// the gate first.
actor Acceptor {
  /// Connections taken before others on the queue get a turn.
  private static let batch = 256
  /// How long accepting rests while the gate is full.
  private static let gateNanoseconds = 10_000_000

  private nonisolated let executor = DispatchExecutor(label: "budgetd.acceptor")
  private let placement: Placement
  private let gate: Gate?
  private let bounds: TransportBounds
  private var listener: Descriptor?
  private let file: UnixSocketFile?
  private var source: (any DispatchSourceRead)?
  private var isPaused = false
  private var whenStopped: [@Sendable () -> Void] = []
  nonisolated let pauses = Atomic<UInt64>(0)

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  init(
    listener: consuming ListeningSocket, placement: Placement, gate: Gate?, bounds: TransportBounds
  ) {
    file = listener.file
    self.placement = placement
    self.gate = gate
    self.bounds = bounds
    self.listener = listener.release()
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
    file?.remove()
    listener = nil
    for done in exchange(&whenStopped, with: []) { done() }
  }

  private func acceptBatch() {
    var taken = 0
    while taken < Self.batch {
      if let gate, gate.isFull {
        // The others wait in the kernel's queue, for no longer than some handshakes take.
        rest(for: Self.gateNanoseconds)
        return
      }
      switch acceptOne() {
      case .connection(let socket):
        taken += 1
        place(socket)
      case .nothing: return
      case .gone: taken += 1
      case .exhausted:
        pause()
        return
      }
    }
  }

  private func acceptOne() -> Accepting {
    switch listener {
    case .some(let descriptor): descriptor.accept()
    case .none: .nothing
    }
  }

  private func place(_ socket: consuming Descriptor) {
    socket.disableDelay()
    let peer = Peer(of: socket)
    if let gate {
      gate.enter(socket, of: peer)
    } else {
      placement.place(Line(socket), of: peer)
    }
  }

  private func pause() {
    guard !isPaused else { return }
    pauses.add(1, ordering: .relaxed)
    rest(for: Int(bounds.acceptPause.nanoseconds))
  }

  private func rest(for nanoseconds: Int) {
    guard !isPaused, let source else { return }
    isPaused = true
    source.suspend()
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
