import Glibc
import Testing

@testable import Sockets
@testable import TCPTransport

/// The other end of a connection, as rude as a test needs it to be. Every wait has a deadline.
final class TestPeer {
  enum Failure: Error { case timedOut, broken(Int32), notConnected(Int32) }

  static let patienceMilliseconds: Int32 = 10_000

  private let socket: Descriptor
  private let scratch = ScratchBuffer(byteCount: 256 * 1024)
  private var input: [UInt8] = []

  /// Connects, from `host` of the loopback where it is given.
  init(
    to address: SocketAddress, from host: UInt32? = nil, receiveBuffer: Int32? = nil
  ) throws {
    let resolved = try #require(try ResolvedAddress.all(of: address).first)
    socket = try Descriptor.streamSocket(family: resolved.family)
    if let receiveBuffer { socket.setOption(SOL_SOCKET, SO_RCVBUF, to: receiveBuffer) }
    socket.disableDelay()
    if let host { Self.bind(socket, to: host) }
    let code = socket.connect(to: resolved)
    guard code == 0 || code == EINPROGRESS else { throw Failure.notConnected(code) }
    try wait(for: Int16(POLLOUT))
    guard socket.pendingError() == 0 else { throw Failure.notConnected(ECONNREFUSED) }
  }

  private static func bind(_ socket: borrowing Descriptor, to host: UInt32) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = host.bigEndian
    let code = unsafe withUnsafePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe Glibc.bind(socket.number, address, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    precondition(code == 0, "the loopback has more than one address")
  }

  private func wait(for events: Int16) throws {
    var entry = pollfd(fd: socket.number, events: events, revents: 0)
    let count = unsafe poll(&entry, 1, Self.patienceMilliseconds)
    if count == 0 { throw Failure.timedOut }
  }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      switch socket.send(bytes, from: sent) {
      case .bytes(let count): sent += count
      case .wouldBlock, .ended: try wait(for: Int16(POLLOUT))
      case .failed(let code): throw Failure.broken(code)
      }
    }
  }

  /// Sends what the socket takes at once; nil when the connection is broken.
  func sendSome(_ bytes: [UInt8]) -> Int? {
    switch socket.send(bytes, from: 0) {
    case .bytes(let count): count
    case .wouldBlock, .ended: 0
    case .failed: nil
    }
  }

  /// The next frame's body; nil at the connection's end.
  func receive() throws -> [UInt8]? {
    let decoder = FrameDecoder(longestBody: 64 * 1024 * 1024)
    while true {
      if case .frame(let body) = unsafe decoder.step(in: input.span.bytes, at: 0) {
        defer { input.removeFirst(body.upperBound) }
        return Array(input[body])
      }
      switch scratch.receive(from: socket, limit: 256 * 1024) {
      case .bytes(let count): scratch.append(0..<count, to: &input)
      case .wouldBlock: try wait(for: Int16(POLLIN))
      case .ended: return nil
      case .failed(let code): throw Failure.broken(code)
      }
    }
  }

  /// The next bytes, as they came; nil at the connection's end.
  func receiveBytes() throws -> [UInt8]? {
    while true {
      switch scratch.receive(from: socket, limit: 256 * 1024) {
      case .bytes(let count):
        var bytes: [UInt8] = []
        scratch.append(0..<count, to: &bytes)
        return bytes
      case .wouldBlock: try wait(for: Int16(POLLIN))
      case .ended: return nil
      case .failed(let code): throw Failure.broken(code)
      }
    }
  }

  /// Whether the connection comes to its end, in good order or not, with nothing more received.
  func isEnded() throws -> Bool {
    do { return try receive() == nil } catch Failure.broken { return true }
  }

  func finishSending() { socket.shutdownSending() }

  /// Makes closing, which comes with the peer's end, a reset.
  func resetWhenClosed() {
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(
      socket.number, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}

/// A frame with `body`.
func frame(_ body: [UInt8]) -> [UInt8] { header(body.count) + body }

/// A frame with the text `body`.
func frame(_ body: String) -> [UInt8] { frame(Array(body.utf8)) }

/// The header of a frame of `length` bytes.
func header(_ length: Int) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
}
