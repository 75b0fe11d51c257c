import Glibc

/// The owner of a descriptor: closes it once, when it goes.
struct Descriptor: ~Copyable, Sendable {
  let number: Int32

  init(adopting number: Int32) { self.number = number }

  // Not repeated on EINTR: Linux has released the number by then.
  deinit { _ = Glibc.close(number) }

  /// Gives the number to another owner.
  consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }
}

/// The outcome of a read or write.
enum Transfer: Equatable {
  case bytes(Int)
  case wouldBlock
  case ended
  case failed
}

/// The outcome of accepting.
enum Accepting {
  case connection(Int32)
  case nothing
  case outOfDescriptors
  case failed
}

extension Descriptor {
  /// Makes calls on it return at once.
  func setNonblocking() {
    let flags = fcntl(number, F_GETFL)
    _ = fcntl(number, F_SETFL, flags | O_NONBLOCK)
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
  }

  func accept() -> Accepting {
    while true {
      let result = Glibc.accept(number, nil, nil)
      if result >= 0 { return .connection(result) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .nothing
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .outOfDescriptors
      default: return .failed
      }
    }
  }

  /// Whether bytes have come that were not read.
  var hasUnreadBytes: Bool {
    var byte: UInt8 = 0
    // Safe: it peeks at one byte, which has its place.
    return unsafe Glibc.recv(number, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
  }

  /// Reads at most `limit` bytes and hands them to `take`.
  func receive(atMost limit: Int, _ take: (ArraySlice<UInt8>) -> Void) -> Transfer {
    var buffer = [UInt8](repeating: 0, count: limit)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { room in
        unsafe Glibc.recv(number, room.baseAddress, room.count, 0)
      }
      if count > 0 {
        take(buffer[..<count])
        return .bytes(count)
      }
      if count == 0 { return .ended }
      let code = errno
      if code != EINTR { return code == EAGAIN ? .wouldBlock : .failed }
    }
  }

  /// Sends `bytes` from `offset` on, at most `limit` of them; `hasMore` keeps a small packet back.
  func send(_ bytes: [UInt8], from offset: Int, atMost limit: Int, hasMore: Bool) -> Transfer {
    while true {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe Glibc.send(
          number, base + offset, min(limit, buffer.count - offset),
          Int32(MSG_NOSIGNAL) | (hasMore ? Int32(MSG_MORE) : 0))
      }
      if count >= 0 { return .bytes(count) }
      let code = errno
      if code != EINTR { return code == EAGAIN ? .wouldBlock : .failed }
    }
  }

  func disableDelay() {
    var on: Int32 = 1
    // Fails only for a socket that is broken already, which its next use reports.
    _ = unsafe setsockopt(
      number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  func shutdownSending() { _ = Glibc.shutdown(number, Int32(SHUT_WR)) }
}

/// Rouses a thread that polls: what is rung shows as readable until it is silenced.
struct Bell: ~Copyable, Sendable {
  let listening: Descriptor
  private let ringing: Descriptor

  /// Nil when the process is out of descriptors.
  init?() {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { return nil }
    listening = Descriptor(adopting: ends[0])
    ringing = Descriptor(adopting: ends[1])
    listening.setNonblocking()
    ringing.setNonblocking()
  }

  func ring() {
    var byte: UInt8 = 1
    // A pipe that is full has been rung already.
    _ = unsafe write(ringing.number, &byte, 1)
  }

  func silence() { _ = listening.drained() }
}

extension Descriptor {
  /// Reads and throws away what is there; false at the end of the stream.
  fileprivate func drained() -> Bool {
    var room = [UInt8](repeating: 0, count: 256)
    while true {
      let count = unsafe room.withUnsafeMutableBytes { room in
        unsafe read(number, room.baseAddress, room.count)
      }
      if count <= 0 { return count < 0 }
    }
  }
}

/// The descriptors that a thread waits for.
struct PollSet {
  static let readable = Int16(POLLIN)
  static let writable = Int16(POLLOUT)

  private var entries: [pollfd] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func append(_ descriptor: borrowing Descriptor, events: Int16) {
    entries.append(pollfd(fd: descriptor.number, events: events, revents: 0))
  }

  /// Takes a place in which nothing happens.
  mutating func appendNothing() { entries.append(pollfd(fd: -1, events: 0, revents: 0)) }

  /// The events of the descriptor at `index`, errors and hang-ups included.
  func events(at index: Int) -> Int16 { entries[index].revents }

  /// Waits; -1 is without end.
  mutating func wait(milliseconds: Int32) {
    let count = unsafe poll(&entries, nfds_t(entries.count), milliseconds)
    if count <= 0 { for index in entries.indices { entries[index].revents = 0 } }
  }
}

/// Nanoseconds that the calling thread has worked.
func threadWorkNanoseconds() -> Int64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Puts the calling thread behind the process' others where there are too few processors; on Linux
/// a priority is a thread's. If it may not, it goes on without.
func yieldToOtherThreads() { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5) }

/// Nanoseconds of the monotonic clock.
func monotonicNanoseconds() -> Int64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
