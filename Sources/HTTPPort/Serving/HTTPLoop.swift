import BudgetModel
import Foundation
import Sockets
import TLS

/// The work of the port's thread: it waits for sockets, serves what is ready, ends what is overdue.
/// It alone touches connections.
final class HTTPLoop {
  let site: any HTTPSite
  let bounds: HTTPBounds
  let inbox: HTTPInbox
  let counters: HTTPCounters
  let security: (@Sendable () -> TLSContext)?
  let clock: @Sendable () -> Timestamp

  var listener: Descriptor?
  var connections: [HTTPConnection?] = []
  var generations: [Int] = []
  var openCount = 0
  /// Received bytes go through it: a connection that only stands needs none.
  let scratch = ScratchBuffer(byteCount: receiveBytes)
  static let receiveBytes = 65_536
  /// Decrypted bytes; of no size where nothing is encrypted.
  let plaintext: ScratchBuffer
  var pollSet = PollSet()
  var polled: [HTTPConnection] = []
  /// When it may accept again; `.max`: once a connection ends or asks nothing more.
  var acceptsFrom: Int64 = 0
  /// In nanoseconds.
  private var restOwed: Int64 = 0
  private static let shortestRest: Int64 = 500_000
  private static let longestRest: Int64 = 100_000_000
  /// When the port ends at the latest, once it was told to.
  var endsAt: Int64?

  init(
    listener: consuming Descriptor, site: any HTTPSite, bounds: HTTPBounds, inbox: HTTPInbox,
    counters: HTTPCounters, security: (@Sendable () -> TLSContext)?,
    clock: @escaping @Sendable () -> Timestamp
  ) {
    self.listener = consume listener
    self.site = site
    self.bounds = bounds
    self.inbox = inbox
    self.counters = counters
    self.security = security
    self.clock = clock
    plaintext = ScratchBuffer(
      byteCount: security == nil ? 0 : Self.receiveBytes + TLSSession.extraBytes)
  }

  /// Serves until it is told to stop.
  func run() {
    SystemCalls.yieldToOtherThreads()
    while !isOver {
      let worked = SystemCalls.threadWorkNanoseconds()
      let now = SystemCalls.monotonicNanoseconds()
      fillPollSet(at: now)
      pollSet.wait(milliseconds: waitingTime(at: now))
      takeMail()
      serveReady()
      acceptReady()
      endOverdue()
      counters.count(openConnections: openCount)
      rest(afterWorking: SystemCalls.threadWorkNanoseconds() - worked)
    }
    inbox.close()
    for connection in connections { if let connection { close(connection) } }
    counters.count(openConnections: 0)
    listener = nil
  }

  /// However many ask, and however much they take, the port has a quarter of one processor: it rests
  /// three times as long as it worked. A rest too short to be worth it is added to the next.
  private func rest(afterWorking nanoseconds: Int64) {
    restOwed += 3 * nanoseconds
    guard restOwed >= Self.shortestRest else { return }
    Thread.sleep(forTimeInterval: Double(min(restOwed, Self.longestRest)) / 1e9)
    restOwed = 0
  }

  private var isOver: Bool {
    guard let endsAt else { return false }
    return openCount == 0 || SystemCalls.monotonicNanoseconds() >= endsAt
  }

  private func fillPollSet(at now: Int64) {
    pollSet.removeAll()
    pollSet.append(inbox.wakeup.descriptor, events: PollSet.readable)
    setRoom(at: now)
    listener.append(to: &pollSet, events: now >= acceptsFrom ? PollSet.readable : 0)
    polled.removeAll(keepingCapacity: true)
    for connection in connections {
      guard let connection else { continue }
      pollSet.append(connection.socket, events: connection.interest)
      polled.append(connection)
    }
  }

  private func waitingTime(at now: Int64) -> Int32 {
    var next = min(endsAt ?? .max, acceptsFrom > now ? acceptsFrom : .max)
    for connection in polled {
      if let deadline = connection.deadline(bounds) { next = min(next, deadline.at) }
    }
    guard next != .max else { return -1 }
    // Rounded up: what is looked at before it is due would be looked at again and again.
    return Int32(clamping: max(0, (next - now + 999_999) / 1_000_000))
  }

  private func takeMail() {
    guard pollSet.events(at: 0) != 0 else { return }
    let mail = inbox.take()
    for answer in mail.answers {
      guard let connection = connection(answer.connection), connection.phase == .answering
      else { continue }
      if answer.delay > .zero {
        let dueAt = SystemCalls.monotonicNanoseconds() + answer.delay.nanoseconds
        connection.refusal = HTTPConnection.Refusal(response: answer.response, dueAt: dueAt)
      } else {
        begin(answer.response, on: connection)
      }
    }
    if mail.mustStop, endsAt == nil { beginStopping() }
  }

  private func connection(_ id: HTTPConnectionID) -> HTTPConnection? {
    guard let connection = connections[id.slot], connection.id == id else { return nil }
    return connection
  }

  private func beginStopping() {
    endsAt = SystemCalls.monotonicNanoseconds() + bounds.stopDuration.nanoseconds
    listener = nil
    for connection in connections {
      if let connection, connection.phase == .reading || connection.phase == .lingering {
        close(connection)
      }
    }
  }
}

extension Optional where Wrapped == Descriptor {
  borrowing func append(to set: inout PollSet, events: Int16) {
    switch self {
    case .some(let descriptor): set.append(descriptor, events: events)
    // Keeps the places in the set.
    case .none: set.appendNothing()
    }
  }
}
