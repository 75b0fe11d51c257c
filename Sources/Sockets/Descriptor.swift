import CEpoll
import Glibc

/// The outcome of a read or write.
public enum Transfer: Equatable, Sendable {
  /// So many bytes moved, at least one.
  case bytes(Int)
  /// Nothing can move now.
  case wouldBlock
  /// The peer sends no more.
  case ended
  /// The connection is broken: errno.
  case failed(Int32)
}

/// The outcome of accepting a connection.
public enum Accepting: ~Copyable, Sendable {
  /// The next connection.
  case connection(Descriptor)
  /// Nobody waits.
  case nothing
  /// That connection has gone; the next one may be there.
  case gone
  /// Descriptors or memory are used up: the queue stays readable, so looking again at once would
  /// take the whole processor without getting any further.
  case exhausted
}

/// The owner of a descriptor: closes it once, when it goes.
public struct Descriptor: ~Copyable, Sendable {
  /// The descriptor, for as long as its owner lives.
  public let number: Int32

  /// Takes over `number`, which nobody else may close.
  public init(adopting number: Int32) { self.number = number }

  // Not repeated on EINTR: Linux has released the number by then.
  deinit { _ = Glibc.close(number) }

  /// Gives the number to another owner.
  public consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }
}

/// The process at the other end of a Unix socket, as it was when it connected.
public struct PeerCredentials: Hashable, Sendable {
  /// The user's number.
  public let user: UInt32
  /// The group's number.
  public let group: UInt32
  /// The process' number.
  public let process: Int32

  /// Makes credentials.
  public init(user: UInt32, group: UInt32, process: Int32) {
    self.user = user
    self.group = group
    self.process = process
  }
}

extension Descriptor {
  /// A nonblocking stream socket of `AF_INET`, `AF_INET6` or `AF_UNIX`.
  public static func streamSocket(family: Int32) throws(SocketError) -> Descriptor {
    let number = Glibc.socket(
      family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if number < 0 { throw .system(call: "socket", errno: errno, address: nil) }
    return Descriptor(adopting: number)
  }

  func setOption(_ level: Int32, _ name: Int32, to value: Int32) {
    var value = value
    // Fails only for a socket that is broken already, which its next use reports.
    _ = unsafe setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// An option of the socket itself; nil where it is not one.
  func option(_ name: Int32) -> Int32? {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return unsafe getsockopt(number, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
  }

  /// Makes calls on it return at once, and keeps it from programs that this process may start.
  public func setNonblocking() {
    let flags = fcntl(number, F_GETFL)
    _ = fcntl(number, F_SETFL, flags | O_NONBLOCK)
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
  }

  /// Messages are written whole, so waiting for more to put in the segment gains nothing. Not
  /// taken, and not needed, by a Unix socket.
  public func disableDelay() { setOption(Int32(IPPROTO_TCP), TCP_NODELAY, to: 1) }

  /// Notices within about a minute that the other machine is gone.
  public func keepAlive() {
    setOption(SOL_SOCKET, SO_KEEPALIVE, to: 1)
    setOption(Int32(IPPROTO_TCP), TCP_KEEPIDLE, to: 15)
    setOption(Int32(IPPROTO_TCP), TCP_KEEPINTVL, to: 5)
    setOption(Int32(IPPROTO_TCP), TCP_KEEPCNT, to: 3)
  }

  /// Sends `bytes` from `offset` on, as much as the socket takes at once.
  @inline(__always)
  public func send(_ bytes: borrowing [UInt8], from offset: Int) -> Transfer {
    send(bytes, from: offset, atMost: .max, flags: Int32(MSG_NOSIGNAL))
  }

  /// Sends at most `limit` of `bytes` from `offset` on; `hasMore` keeps a small packet back.
  public func send(
    _ bytes: borrowing [UInt8], from offset: Int, atMost limit: Int, hasMore: Bool
  ) -> Transfer {
    send(
      bytes, from: offset, atMost: limit,
      flags: Int32(MSG_NOSIGNAL) | (hasMore ? Int32(MSG_MORE) : 0))
  }

  @inline(__always)
  private func send(
    _ bytes: borrowing [UInt8], from offset: Int, atMost limit: Int, flags: Int32
  ) -> Transfer {
    let count = unsafe bytes.withUnsafeBytes { buffer in
      SystemCalls.retrying {
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe Glibc.send(number, base + offset, min(limit, buffer.count - offset), flags)
      }
    }
    return count >= 0 ? .bytes(count) : Self.failure(-count)
  }

  @inline(__always)
  static func failure(_ code: Int) -> Transfer {
    let code = Int32(truncatingIfNeeded: code)
    return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed(code)
  }

  /// Whether bytes have come that were not read.
  public var hasUnreadBytes: Bool {
    var byte: UInt8 = 0
    // It peeks at one byte, which has its place.
    return unsafe Glibc.recv(number, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
  }

  /// Ends our side: the peer reads what was sent, then the end.
  public func shutdownSending() { _ = Glibc.shutdown(number, Int32(SHUT_WR)) }

  /// Takes the next connection from a listening socket; it does not block and is not inherited.
  public func accept() -> Accepting {
    let result = SystemCalls.retrying {
      Int(
        CEpoll.accept4(
          number, nil, nil, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)))
    }
    if result >= 0 { return .connection(Descriptor(adopting: Int32(truncatingIfNeeded: result))) }
    switch Int32(truncatingIfNeeded: -result) {
    case EAGAIN: return .nothing
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
    // ECONNABORTED, EPROTO, EPERM, and errors of the network that belong to that connection.
    case ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
      EOPNOTSUPP, ENETUNREACH:
      return .gone
    default: return .exhausted
    }
  }

  /// How a connect that was under way came out: 0, or errno.
  public func pendingError() -> Int32 {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    let result = unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size)
    return result == 0 ? code : errno
  }

  /// Who connected; nil where it is not a Unix socket.
  public func peerCredentials() -> PeerCredentials? {
    let found = cepoll_peer(number)
    guard found.is_known else { return nil }
    return PeerCredentials(user: found.user, group: found.group, process: found.process)
  }
}
