import CEpoll
import Glibc

/// An epoll set, and room for one batch of what is ready in it: for many connections that stay.
@safe public struct Poller: ~Copyable {
  /// Something may be read, or the peer has ended.
  public static let readable = EPOLLIN.rawValue
  /// Something may be written.
  public static let writable = EPOLLOUT.rawValue
  /// The connection broke, or both sides have ended.
  public static let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
  /// Names no connection: the token of a wakeup.
  public static let wakeupToken = UInt64.max
  private static let batch = 256

  /// The set's own descriptor: readable when something in the set is ready.
  public let descriptor: Descriptor
  private let events: UnsafeMutablePointer<epoll_event>

  /// Throws when the process is out of descriptors.
  public init() throws(SocketError) {
    let number = epoll_create1(Int32(EPOLL_CLOEXEC))
    if number < 0 { throw .system(call: "epoll_create1", errno: errno, address: nil) }
    descriptor = Descriptor(adopting: number)
    unsafe events = .allocate(capacity: Self.batch)
    unsafe events.initialize(repeating: epoll_event(), count: Self.batch)
  }

  deinit { unsafe events.deallocate() }

  /// Adds `socket`; false when the kernel has no room for it. Closing the socket takes it out.
  public func add(_ socket: borrowing Descriptor, events: UInt32, token: UInt64) -> Bool {
    var event = unsafe cepoll_event(events, token)
    return unsafe epoll_ctl(descriptor.number, EPOLL_CTL_ADD, socket.number, &event) == 0
  }

  /// Adds what rouses a thread that waits in `take`. Edge-triggered, so it need not be silenced.
  public func add(_ wakeup: borrowing Wakeup) -> Bool {
    add(
      wakeup.descriptor, events: EPOLLIN.rawValue | EPOLLET.rawValue, token: Self.wakeupToken)
  }

  /// Changes what is waited for of a socket in the set.
  public func modify(_ socket: borrowing Descriptor, events: UInt32, token: UInt64) {
    var event = unsafe cepoll_event(events, token)
    let result = unsafe epoll_ctl(descriptor.number, EPOLL_CTL_MOD, socket.number, &event)
    precondition(result == 0, "a socket is in its epoll set until it closes")
  }

  /// Takes a socket out that lives on, to be watched for elsewhere.
  public func remove(_ socket: borrowing Descriptor) {
    var event = unsafe epoll_event()
    let result = unsafe epoll_ctl(descriptor.number, EPOLL_CTL_DEL, socket.number, &event)
    precondition(result == 0, "a socket is in its epoll set until it closes")
  }

  /// Takes a batch of what is ready, waiting for so long if nothing is, and says how many.
  @inline(__always)
  public func take(waitingMilliseconds wait: Int32 = 0) -> Int {
    let count = unsafe epoll_wait(descriptor.number, events, Int32(Self.batch), wait)
    return count > 0 ? Int(count) : 0
  }

  /// The batch's entry at `index`.
  @inline(__always)
  public func entry(_ index: Int) -> (token: UInt64, events: UInt32) {
    precondition(index >= 0 && index < Self.batch, "an entry outside the batch")
    return unsafe (cepoll_token(events + index), cepoll_events(events + index))
  }
}
