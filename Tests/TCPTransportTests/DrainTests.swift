import Dispatch
import Testing

@testable import Sockets
@testable import TCPTransport

extension TCPServerTests {
  @Test func drainingClosesIdleConnectionsAtOnce() async throws {
    let server = try echoServer()
    let peers = try (0..<10).map { _ in try TestPeer(to: server.localAddress) }
    for peer in peers {
      try peer.send(frame("x"))
      #expect(try peer.receive() == Array("x".utf8))
    }
    let cutOff = await server.drain(within: .seconds(8))
    #expect(cutOff == 0)
    for peer in peers { #expect(try peer.receive() == nil) }
    #expect(server.counters.connectionsOpen == 0)
    #expect(throws: TestPeer.Failure.self) { try TestPeer(to: server.localAddress) }
  }

  @Test func drainingWaitsForRepliesUnderWay() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("d"))
    try await eventually("handled") { log.now.deferred.count == 1 }
    async let cutOff = server.drain(within: .seconds(8))
    try await eventually("draining") { server.counters.closedByDrain == 1 }
    try peer.send(frame("too late"))
    #expect(try peer.receive().map { String(decoding: $0, as: UTF8.self) } == "refused: draining")
    var batch = ReplyBatch()
    batch.append(to: try #require(log.now.deferred.first).connection, frame: frame("done"))
    server.replies.post(batch)
    #expect(try peer.receive() == Array("done".utf8))
    #expect(try peer.receive() == nil)
    #expect(await cutOff == 0)
    #expect(log.handled == 1)
  }

  @Test func drainingEndsAtItsDeadline() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("d"))
    try await eventually("handled") { log.now.deferred.count == 1 }
    #expect(await server.drain(within: .milliseconds(50)) == 1)
    #expect(try peer.isEnded())
    #expect(log.now.closed.first?.requestsUnderWay == 1)
  }

  @Test func drainingUnderLoadLosesNoReplyOfAHandledRequest() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let address = server.localAddress
    let received = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<6 {
        group.addTask {
          await onQueueOfItsOwn {
            var received = 0
            // Ends with an error when the peer was sending as the server closed.
            try? load(address) { received += 1 }
            return received
          }
        }
      }
      group.addTask {
        let until = MonotonicInstant.now().advanced(by: .seconds(10))
        while log.handled < 20_000, MonotonicInstant.now() < until { await Task.yield() }
        _ = await server.drain(within: .seconds(8))
        return 0
      }
      return await group.reduce(0, +)
    }
    #expect(log.handled >= 20_000)
    #expect(received == log.handled)
  }
}

/// Sends and reads until the server ends the connection; `onReply` counts.
private func load(_ address: SocketAddress, onReply: () -> Void) throws {
  let peer = try TestPeer(to: address)
  while true {
    try peer.send((0..<20).flatMap { frame("load \($0)") })
    for _ in 0..<20 {
      guard let body = try peer.receive() else { return }
      if body.starts(with: "load".utf8) { onReply() }
    }
  }
}

/// Runs what blocks where it holds up no task.
private func onQueueOfItsOwn<Result: Sendable>(
  _ body: @escaping @Sendable () -> Result
) async -> Result {
  await withCheckedContinuation { continuation in
    DispatchQueue(label: "test.load").async { continuation.resume(returning: body()) }
  }
}
