import Testing

@testable import Sockets
@testable import TCPTransport

extension TCPServerTests {
  @Test func aSlowReaderIsStoppedThenClosed() async throws {
    let server = try echoServer {
      $0.stallDuration = .milliseconds(200)
      $0.unsentBytes = 4 * 1024 * 1024
    }
    let peer = try TestPeer(to: server.localAddress, receiveBuffer: 4_096)
    // Each frame asks for one MiB; nobody reads.
    try peer.send((0..<1_000).flatMap { _ in frame("b") })
    try await eventually("closed as slow") { server.counters.closedSlow == 1 }
    // Requests were handled for what the socket took and what may wait, and one went past it.
    #expect(server.counters.frames < 20)
  }

  @Test func aReaderThatResumesGetsEverything() async throws {
    let server = try echoServer { $0.unsentBytes = 2 * 1024 * 1024 }
    let peer = try TestPeer(to: server.localAddress, receiveBuffer: 256 * 1024)
    try peer.send((0..<40).flatMap { frame("b") + frame("after \($0)") })
    try await eventually("reading is stopped") { server.counters.frames >= 4 }
    for number in 0..<40 {
      #expect(try peer.receive()?.count == 1024 * 1024)
      #expect(try peer.receive() == Array("after \(number)".utf8))
    }
    #expect(server.counters.frames == 80)
  }

  @Test func requestsUnderWayAreBounded() async throws {
    let log = EchoLog()
    let server = try echoServer(log) { $0.requestsUnderWay = 64 }
    let peer = try TestPeer(to: server.localAddress)
    try peer.send((0..<1_000).flatMap { frame("d\($0)") })
    var answered = 0
    while answered < 1_000 {
      let expected = min(answered + 64, 1_000)
      try await eventually("as many as may be") { log.now.deferred.count == expected }
      var batch = ReplyBatch()
      for entry in log.now.deferred[answered..<expected].reversed() {
        batch.append(to: entry.connection, frame: frame(entry.body))
      }
      server.replies.post(batch)
      for number in (answered..<expected).reversed() {
        #expect(try peer.receive() == Array("d\(number)".utf8))
      }
      answered = expected
    }
  }

  @Test func repliesToVanishedConnectionsAreDropped() async throws {
    let log = EchoLog()
    let server = try echoServer(log, lanes: 1)
    do {
      let peer = try TestPeer(to: server.localAddress)
      try peer.send(frame("d"))
      try await eventually("handled") { log.now.deferred.count == 1 }
      peer.resetWhenClosed()
    }
    try await eventually("gone") { log.now.closed.count == 1 }
    #expect(log.now.closed.first?.requestsUnderWay == 1)
    // The next connection takes the same slot, and must not get the reply.
    let next = try TestPeer(to: server.localAddress)
    try next.send(frame("mine"))
    #expect(try next.receive() == Array("mine".utf8))
    var batch = ReplyBatch()
    batch.append(to: try #require(log.now.deferred.first).connection, frame: frame("stale"))
    server.replies.post(batch)
    try await eventually("dropped") { server.counters.repliesDropped == 1 }
    try next.send(frame("still mine"))
    #expect(try next.receive() == Array("still mine".utf8))
  }

  @Test func oneConnectionDoesNotHoldUpAnother() async throws {
    let server = try echoServer(lanes: 1) { $0.framesPerTurn = 7 }
    let busy = try TestPeer(to: server.localAddress)
    let other = try TestPeer(to: server.localAddress)
    try busy.send((0..<5_000).flatMap { frame("\($0)") })
    try other.send(frame("in between"))
    #expect(try other.receive() == Array("in between".utf8))
    for number in 0..<5_000 { #expect(try busy.receive() == Array("\(number)".utf8)) }
  }

  @Test(arguments: [
    LaneRest(spin: .zero, hold: .zero), LaneRest(spin: .zero, hold: .seconds(5)),
    LaneRest(spin: .seconds(1), hold: .zero),
  ])
  func repliesReachALaneHoweverItRests(_ rest: LaneRest) async throws {
    let log = EchoLog()
    let server = try echoServer(log, lanes: 1, rest: rest)
    let peer = try TestPeer(to: server.localAddress)
    var slowest = Duration.zero
    for number in 1...200 {
      try peer.send(frame("d\(number)"))
      try await eventually("handled") { log.now.deferred.count == number }
      var batch = ReplyBatch()
      batch.append(to: try #require(log.now.deferred.last).connection, frame: frame("\(number)"))
      let posted = MonotonicInstant.now()
      server.replies.post(batch)
      #expect(try peer.receive() == Array("\(number)".utf8))
      slowest = max(slowest, MonotonicInstant.now().duration(since: posted))
    }
    // A lane that is not woken rests for five seconds.
    #expect(slowest < .seconds(4))
  }
}
