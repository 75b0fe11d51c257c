import CEpoll
import Glibc

/// A lane's epoll set, and room for one batch of what is ready in it.
@safe struct LanePoller: ~Copyable {
  static let readable = EPOLLIN.rawValue
  static let writable = EPOLLOUT.rawValue
  static let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
  static let batch = 256
  /// Names no connection.
  static let bellToken = UInt64.max

  let descriptor: Descriptor
  private let events: UnsafeMutablePointer<epoll_event>

  init() throws(TransportError) {
    let number = epoll_create1(Int32(EPOLL_CLOEXEC))
    if number < 0 { throw .system(call: "epoll_create1", errno: errno, address: nil) }
    descriptor = Descriptor(adopting: number)
    unsafe events = .allocate(capacity: Self.batch)
    unsafe events.initialize(repeating: epoll_event(), count: Self.batch)
  }

  deinit { unsafe events.deallocate() }

  /// Adds `socket`; false when the kernel has no room for it. Closing the socket takes it out.
  func add(_ socket: borrowing Descriptor, events: UInt32, token: UInt64) -> Bool {
    var event = unsafe cepoll_event(events, token)
    return unsafe epoll_ctl(descriptor.number, EPOLL_CTL_ADD, socket.number, &event) == 0
  }

  /// Adds what rouses a lane that waits in `take`. Edge-triggered, so it need not be read.
  func add(_ bell: borrowing Bell) -> Bool {
    var event = unsafe cepoll_event(EPOLLIN.rawValue | EPOLLET.rawValue, Self.bellToken)
    return unsafe epoll_ctl(descriptor.number, EPOLL_CTL_ADD, bell.descriptor.number, &event) == 0
  }

  func modify(_ socket: borrowing Descriptor, events: UInt32, token: UInt64) {
    var event = unsafe cepoll_event(events, token)
    let result = unsafe epoll_ctl(descriptor.number, EPOLL_CTL_MOD, socket.number, &event)
    precondition(result == 0, "a connection's socket is in its lane's epoll set until it closes")
  }

  /// Takes a batch of what is ready, waiting for so long if nothing is, and says how many.
  @inline(__always)
  func take(waitingMilliseconds wait: Int32 = 0) -> Int {
    let count = unsafe epoll_wait(descriptor.number, events, Int32(Self.batch), wait)
    return count > 0 ? Int(count) : 0
  }

  /// The batch's entry at `index`.
  @inline(__always)
  func entry(_ index: Int) -> (token: UInt64, events: UInt32) {
    precondition(index >= 0 && index < Self.batch, "an entry outside the batch")
    return unsafe (cepoll_token(events + index), cepoll_events(events + index))
  }
}
