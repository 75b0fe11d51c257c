import CEpoll
import Glibc

/// The system calls that are not about one descriptor.
enum SystemCalls {
  @inline(__always)
  static func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  static func processorCount() -> Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  static func message(for code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  /// Raises the soft descriptor limit to `wanted`, as far as the hard one lets it; says what it is.
  static func raiseDescriptorLimit(to wanted: Int) -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      return 0
    }
    if limit.rlim_cur < rlim_t(wanted) {
      var raised = limit
      raised.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
      if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 {
        limit = raised
      }
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// Repeats a call for as long as a signal interrupts it; the result, or errno below zero.
  @inline(__always)
  static func retrying(_ call: () -> Int) -> Int {
    while true {
      let result = call()
      if result >= 0 { return result }
      let code = errno
      if code != EINTR { return -Int(code) }
    }
  }
}

/// The outcome of a read or write.
enum Transfer: Equatable {
  /// So many bytes moved, at least one.
  case bytes(Int)
  /// Nothing can move now.
  case wouldBlock
  /// The peer sends no more.
  case ended
  /// The connection is broken: errno.
  case failed(Int32)
}

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

extension Descriptor {
  /// A nonblocking TCP socket.
  static func tcpSocket(family: Int32) throws(TransportError) -> Descriptor {
    let number = Glibc.socket(
      family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
      Int32(IPPROTO_TCP))
    if number < 0 { throw .system(call: "socket", errno: errno, address: nil) }
    return Descriptor(adopting: number)
  }

  func setOption(_ level: Int32, _ name: Int32, to value: Int32) {
    var value = value
    // Fails only for a socket that is broken already, which its next use reports.
    _ = unsafe setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Replies are written whole, so waiting for more to put in the segment gains nothing.
  func disableDelay() { setOption(Int32(IPPROTO_TCP), TCP_NODELAY, to: 1) }

  @inline(__always)
  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
    let count = SystemCalls.retrying {
      unsafe Glibc.recv(number, buffer.baseAddress, buffer.count, 0)
    }
    if count > 0 { return .bytes(count) }
    return count == 0 ? .ended : Self.failure(-count)
  }

  /// Sends `bytes` from `offset` on, as much as the socket takes at once.
  @inline(__always)
  func send(_ bytes: borrowing [UInt8], from offset: Int) -> Transfer {
    let count = unsafe bytes.withUnsafeBytes { buffer in
      SystemCalls.retrying {
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe Glibc.send(
          number, base + offset, buffer.count - offset, Int32(MSG_NOSIGNAL))
      }
    }
    return count >= 0 ? .bytes(count) : Self.failure(-count)
  }

  private static func failure(_ code: Int) -> Transfer {
    let code = Int32(truncatingIfNeeded: code)
    return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed(code)
  }

  /// Ends our side: the peer reads what was sent, then the end.
  func shutdownSending() { _ = Glibc.shutdown(number, Int32(SHUT_WR)) }

  /// Takes the next connection from a listening socket, or says by errno why not.
  func accept() -> Result<Int32, SystemFailure> {
    let result = SystemCalls.retrying {
      Int(
        CEpoll.accept4(
          number, nil, nil, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)))
    }
    return result >= 0
      ? .success(Int32(truncatingIfNeeded: result))
      : .failure(SystemFailure(code: Int32(truncatingIfNeeded: -result)))
  }

  /// The user at the other end of a Unix socket; nil: it is another kind of socket.
  func peerUser() -> Peer.User? {
    var user = cepoll_user()
    // A TCP socket gives no process.
    guard unsafe cepoll_peer_user(number, &user) == 0, user.process != 0 else { return nil }
    return Peer.User(userID: user.user, groupID: user.group, processID: user.process)
  }

  /// How a connect that was under way came out: 0, or errno.
  func pendingError() -> Int32 {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    let result = unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size)
    return result == 0 ? code : errno
  }
}

/// Rouses a lane that waits for its sockets, from any thread.
struct Bell: ~Copyable, Sendable {
  let descriptor: Descriptor

  init() throws(TransportError) {
    let number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    if number < 0 { throw .system(call: "eventfd", errno: errno, address: nil) }
    descriptor = Descriptor(adopting: number)
  }

  func ring() {
    // Fails only at 2^64 - 2 rings.
    _ = eventfd_write(descriptor.number, 1)
  }
}

/// A system call's errno, as an error.
struct SystemFailure: Error, Equatable {
  let code: Int32
}
