import BudgetModel
import Dispatch
import Glibc
import Sockets
import TLS

/// Some connections of a server, and the serial queue that alone touches them.
///
/// Their sockets are in one epoll set; one Dispatch source on it wakes the lane. A lane that runs
/// takes batch after batch until nothing is ready, looks a little longer, waits on its thread for a
/// moment, and gives it back. Between bytes in and bytes out nothing waits and nothing changes threads.
actor Lane {
  /// How long a lane keeps its queue under unbroken load before timers get a turn.
  private static let turnNanoseconds: Int64 = 50_000_000
  /// Replies are written early when so many bytes of one turn have gathered.
  static let gatheredBytes = 256 * 1024

  nonisolated let index: LaneIndex
  nonisolated let inbox: LaneInbox
  nonisolated let counters = LaneCounters()
  nonisolated let bounds: TransportBounds
  nonisolated let held: HeldBytes
  /// Nil: nothing is bounded by client.
  let sharing: LaneShares?
  private nonisolated let executor: DispatchExecutor
  private let spinNanoseconds: Int64
  private let holdMilliseconds: Int32

  let handler: any FrameHandler
  let poller: Poller
  let scratch: ScratchBuffer
  /// Decrypted bytes; of no size where nothing is encrypted.
  let plaintext: ScratchBuffer
  let decoder: FrameDecoder
  let limits: ConnectionTimes.Limits

  /// By slot; the generation outlives the connection.
  var connections: [Connection?] = []
  var generations: [UInt32] = []
  var freeSlots: [Int] = []
  var liveConnections = 0
  /// Connections with whole frames left over from their last turn.
  var backlog: [ConnectionID] = []
  /// Lent to whatever gathers replies.
  var spareOutput: [UInt8] = []
  /// Lent to whatever encrypts.
  var spareSealed: [UInt8] = []

  var drains: [LaneInbox.DrainOrder] = []
  var drainUntil: MonotonicInstant?
  var nextSweep = MonotonicInstant.never
  private var isStopped = false
  /// A run is on the queue already; one is enough, however often sources fire meanwhile.
  private var isRunQueued = false
  private var source: (any DispatchSourceRead)?
  var timer: (any DispatchSourceTimer)?

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  init(
    index: LaneIndex, inbox: LaneInbox, settings: LaneSettings, handler: sending any FrameHandler
  ) throws(TransportError) {
    let bounds = settings.bounds
    self.index = index
    self.bounds = bounds
    held = settings.held
    sharing = settings.shares.map { LaneShares(shares: $0) }
    self.inbox = inbox
    self.handler = handler
    poller = try TransportError.socket { () throws(SocketError) in try Poller() }
    limits = ConnectionTimes.Limits(bounds)
    spinNanoseconds = settings.rest.spin.nanoseconds
    holdMilliseconds = Int32(clamping: settings.rest.hold.nanoseconds / 1_000_000)
    guard poller.add(inbox.wakeup) else {
      throw .system(call: "epoll_ctl", errno: ENOSPC, address: nil)
    }
    scratch = ScratchBuffer(byteCount: bounds.bytesPerTurn)
    plaintext = ScratchBuffer(
      byteCount: settings.isSecure ? bounds.bytesPerTurn + TLSSession.extraBytes : 0)
    decoder = FrameDecoder(longestBody: bounds.requestFrameBytes)
    executor = DispatchExecutor(label: "budgetd.lane.\(index.number)")
  }

  /// Begins to serve. From here until `stop` the queue's sources keep the lane alive.
  nonisolated func start() {
    inbox.open { self.wake() }
    executor.queue.async { self.assumeIsolated { $0.begin() } }
  }

  /// Closes everything at once; for a server that goes away.
  nonisolated func stop() { inbox.post { $0.mustStop = true } }

  private nonisolated func wake() {
    executor.queue.async { self.assumeIsolated { $0.run() } }
  }

  /// Lets what else is on the queue have its turn, then goes on.
  private func yieldQueue() {
    if isRunQueued { return }
    isRunQueued = true
    executor.queue.async {
      self.assumeIsolated {
        $0.isRunQueued = false
        $0.run()
      }
    }
  }

  private func begin() {
    let source = DispatchSource.makeReadSource(
      fileDescriptor: poller.descriptor.number, queue: executor.queue)
    source.setEventHandler { self.assumeIsolated { $0.run() } }
    // Holds the lane, and so the descriptor, until Dispatch is done with it.
    source.setCancelHandler { self.assumeIsolated { $0.source = nil } }
    self.source = source
    let timer = DispatchSource.makeTimerSource(queue: executor.queue)
    timer.setEventHandler {
      self.assumeIsolated {
        $0.sweep()
        // Connections that rested may have frames left over.
        if !$0.backlog.isEmpty { $0.yieldQueue() }
      }
    }
    timer.schedule(deadline: .distantFuture)
    self.timer = timer
    source.activate()
    timer.activate()
    run()
  }

  /// Serves what is ready, until nothing has been for the length of a spin and then of a hold.
  private func run() {
    if isStopped { return }
    inbox.awake()
    let started = MonotonicInstant.now()
    var lastWork = started
    var wait: Int32 = 0
    while true {
      var worked = false
      if inbox.hasMail {
        takeMail()
        if isStopped { return }
        worked = true
        wait = 0
      }
      let count = poller.take(waitingMilliseconds: wait)
      let hasWaited = wait > 0
      if hasWaited {
        wait = 0
        inbox.awake()
      }
      if count > 0 {
        worked = true
        var index = 0
        while index < count {
          let (token, events) = poller.entry(index)
          if let connection = connection(ConnectionID(rawValue: token)) {
            serve(connection, events: events)
          }
          index += 1
        }
      }
      if !backlog.isEmpty {
        worked = true
        serveBacklog()
      }
      let now = MonotonicInstant.now()
      if worked {
        lastWork = now
        if now.nanoseconds - started.nanoseconds > Self.turnNanoseconds {
          yieldQueue()
          return
        }
      } else if hasWaited || holdMilliseconds == 0 {
        guard now.nanoseconds - lastWork.nanoseconds >= spinNanoseconds else { continue }
        if inbox.mayRest(.asleep) { return }
      } else if now.nanoseconds - lastWork.nanoseconds >= spinNanoseconds {
        if inbox.mayRest(.waiting) { wait = holdMilliseconds }
      }
    }
  }

  /// The connection that `id` names, unless it has gone.
  @inline(__always)
  func connection(_ id: ConnectionID) -> Connection? {
    let slot = id.slot
    guard slot < connections.count, let connection = connections[slot], connection.id == id
    else { return nil }
    return connection
  }

  private func takeMail() {
    let mail = inbox.take()
    for arrival in mail.arrivals { adopt(arrival) }
    for batch in mail.replies { deliver(batch) }
    for order in mail.drains { drain(order) }
    for id in mail.dismissals { dismiss(id) }
    for id in mail.resumes { resume(id) }
    if mail.mustReview { review() }
    for call in mail.calls { call() }
    if mail.mustRelieve { relieve() }
    if mail.mustStop { stopNow() }
  }

  private func stopNow() {
    isStopped = true
    _ = inbox.close()
    for connection in connections {
      if let connection { close(connection) }
    }
    finishDrains()
    timer?.cancel()
    timer = nil
    source?.cancel()
  }
}
