import Glibc
import Testing

@testable import Sockets
@testable import TCPTransport

// In processes of their own: they count or run out of what the whole process shares.
extension TCPServerTests {
  @Test func aThousandConnectionsLeaveNoDescriptorBehind() async {
    await #expect(processExitsWith: .success) {
      let server = try echoServer()
      func serveOne() throws {
        let peer = try TestPeer(to: server.localAddress)
        try peer.send(frame("x"))
        #expect(try peer.receive() == Array("x".utf8))
      }
      for _ in 0..<20 { try serveOne() }
      try await eventually("all closed") { server.counters.connectionsOpen == 0 }
      // The process itself opens a few when it first needs them: timers, the second lane's thread.
      let bound = openDescriptors() + 10
      for _ in 0..<1_000 { try serveOne() }
      try await eventually("all closed") {
        server.counters.connectionsOpen == 0 && openDescriptors() <= bound
      }
    }
  }

  @Test func serversThatGoLeaveNoDescriptorBehind() async {
    await #expect(processExitsWith: .success) {
      func serveOne() throws {
        let server = try echoServer()
        let peer = try TestPeer(to: server.localAddress)
        try peer.send(frame("x"))
        #expect(try peer.receive() == Array("x".utf8))
      }
      let base = try echoServer()
      try await eventually("one stands") { base.counters.connectionsOpen == 0 }
      try serveOne()
      try await eventually("settled") { openDescriptors() < 40 }
      for _ in 0..<50 { try serveOne() }
      try await eventually("all gone") { openDescriptors() < 40 }
      if openDescriptors() >= 40 { exit(1) }
    }
  }

  @Test func acceptingRestsWithoutDescriptorsAndRecovers() async {
    await #expect(processExitsWith: .success) {
      let server = try echoServer { $0.acceptPause = .milliseconds(20) }
      var peers: [TestPeer] = []
      for _ in 0..<8 { peers.append(try TestPeer(to: server.localAddress)) }
      try await eventually("accepted") { server.counters.connectionsOpen == 8 }
      let next = peers.removeLast()
      try await eventually("settled") { server.counters.connectionsOpen == 8 }
      // The peer's end is connected, but the server's accept finds no descriptor left.
      var limit = rlimit()
      unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      var low = limit
      let waiting = try TestPeer.connectedUnderLowLimit(to: server.localAddress, &low)
      try await eventually("accepting rested") { server.counters.acceptPauses >= 3 }
      if server.counters.acceptPauses > 500 { exit(2) }
      try next.send(frame("served meanwhile"))
      if try next.receive() == nil { exit(3) }
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      try waiting.send(frame("recovered"))
      if try waiting.receive() != Array("recovered".utf8) { exit(4) }
    }
  }
}

private func openDescriptors() -> Int {
  (0..<2_048).count { fcntl($0, F_GETFD) != -1 }
}

extension TestPeer {
  /// Connects with the last descriptor that the process may have from then on.
  static func connectedUnderLowLimit(
    to address: SocketAddress, _ limit: inout rlimit
  ) throws -> TestPeer {
    let free = dup(0)
    close(free)
    // Descriptors are handed out lowest first, so the peer gets `free` and accept gets none.
    limit.rlim_cur = rlim_t(free + 1)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return try TestPeer(to: address)
  }
}
