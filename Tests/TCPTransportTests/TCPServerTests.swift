import Testing

@testable import TCPTransport

/// Real sockets on the loopback, one test at a time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TCPServerTests {
  @Test func everySplitOfASequenceGivesTheSameReplies() throws {
    let server = try echoServer()
    let bytes = frame("one") + frame("") + frame("three") + frame([UInt8](repeating: 3, count: 300))
    let peer = try TestPeer(to: server.localAddress)
    for first in 0...20 {
      for second in first...21 {
        try peer.send(Array(bytes[..<first]))
        try peer.send(Array(bytes[first..<second]))
        try peer.send(Array(bytes[second...]))
        #expect(try peer.receive() == Array("one".utf8))
        #expect(try peer.receive() == [])
        #expect(try peer.receive() == Array("three".utf8))
        #expect(try peer.receive()?.count == 300)
      }
    }
  }

  @Test func theHandlerIsToldOfThePeer() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("hello"))
    #expect(try peer.receive() == Array("hello".utf8))
    #expect(log.now.peers == [Peer(address: "127.0.0.1")])
  }

  @Test func dripsOfOneByte() throws {
    let server = try echoServer()
    let peer = try TestPeer(to: server.localAddress)
    for byte in frame("slowly") + frame([UInt8](repeating: 1, count: 700)) { try peer.send([byte]) }
    #expect(try peer.receive() == Array("slowly".utf8))
    #expect(try peer.receive()?.count == 700)
  }

  @Test func tenThousandPipelinedFrames() async throws {
    let server = try echoServer()
    let address = server.localAddress
    let peer = try TestPeer(to: address)
    try peer.send((0..<10_000).flatMap { frame("frame \($0)") })
    for number in 0..<10_000 { #expect(try peer.receive() == Array("frame \(number)".utf8)) }
    #expect(server.counters.frames == 10_000)
  }

  @Test func halfAFrameIsCountedAndNotHandled() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    do {
      let peer = try TestPeer(to: server.localAddress)
      try peer.send(frame("whole") + header(100) + [1, 2, 3])
      #expect(try peer.receive() == Array("whole".utf8))
    }
    try await eventually("the half frame is counted") { server.counters.halfFrames == 1 }
    try await eventually("the handler is told") { log.now.closed.first?.midFrame == true }
    #expect(log.handled == 1)
    #expect(server.counters.connectionsOpen == 0)
  }

  @Test func framesAtTheBoundPassAndOneOverIsTold() throws {
    let server = try echoServer { $0.requestFrameBytes = 1_000 }
    for size in [999, 1_000] {
      let peer = try TestPeer(to: server.localAddress)
      try peer.send(frame([UInt8](repeating: 9, count: size)))
      #expect(try peer.receive()?.count == size)
    }
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("ahead") + header(1_001))
    #expect(try peer.receive() == Array("ahead".utf8))
    let told = String(decoding: try #require(try peer.receive()), as: UTF8.self)
    #expect(told.contains("frameTooLarge(length: 1001, bound: 1000)"))
    #expect(try peer.receive() == nil)
  }

  @Test func theRefusalArrivesThoughThePeerGoesOnSending() throws {
    let server = try echoServer()
    for _ in 0..<20 {
      let peer = try TestPeer(to: server.localAddress)
      try peer.send(header(8 << 20) + [UInt8](repeating: 0, count: 8 << 20))
      let told = String(decoding: try #require(try peer.receive()), as: UTF8.self)
      #expect(told.contains("frameTooLarge"))
      #expect(try peer.isEnded())
    }
    #expect(server.counters.framesTooLarge == 20)
  }

  @Test func aFrameThatDoesNotEndIsToldAndClosed() throws {
    let server = try echoServer { $0.frameDuration = .milliseconds(50) }
    let other = try TestPeer(to: server.localAddress)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("first") + [0, 0])
    #expect(try peer.receive() == Array("first".utf8))
    let told = String(decoding: try #require(try peer.receive()), as: UTF8.self)
    #expect(told.contains("frameTimedOut"))
    #expect(try peer.receive() == nil)
    #expect(server.counters.frameTimeouts == 1)
    try other.send(frame("unharmed"))
    #expect(try other.receive() == Array("unharmed".utf8))
  }

  @Test func idleConnectionsAreClosedWithoutAWord() async throws {
    let server = try echoServer { $0.idleDuration = .milliseconds(50) }
    let peer = try TestPeer(to: server.localAddress)
    #expect(try peer.receive() == nil)
    #expect(server.counters.closedIdle == 1)
  }

  @Test func aConnectionThatAwaitsAReplyIsNotIdle() async throws {
    let log = EchoLog()
    let server = try echoServer(log) { $0.idleDuration = .milliseconds(50) }
    let waiting = try TestPeer(to: server.localAddress)
    try waiting.send(frame("d"))
    // One after the other: however late its request was handled, it has waited for longer.
    for _ in 0..<3 {
      let idle = try TestPeer(to: server.localAddress)
      #expect(try idle.receive() == nil)
    }
    var batch = ReplyBatch()
    let entry = try #require(log.now.deferred.first)
    batch.append(to: entry.connection, frame: frame("late"))
    server.replies.post(batch)
    #expect(try waiting.receive() == Array("late".utf8))
  }

  @Test func theHandlerMayClose() throws {
    let server = try echoServer()
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("c") + frame("never handled"))
    #expect(try peer.receive() == Array("c".utf8))
    #expect(try peer.receive() == nil)
    #expect(server.counters.frames == 1)
  }

  @Test func aPeerThatEndedItsSideGetsItsReplies() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("d1") + frame("now"))
    peer.finishSending()
    #expect(try peer.receive() == Array("now".utf8))
    let entry = try #require(log.now.deferred.first)
    var batch = ReplyBatch()
    batch.append(to: entry.connection, frame: frame("later"))
    server.replies.post(batch)
    #expect(try peer.receive() == Array("later".utf8))
    #expect(try peer.receive() == nil)
    try await eventually("counted") { server.counters.closedByPeer == 1 }
  }

  @Test func connectionsPastTheBoundAreToldSo() async throws {
    let server = try echoServer { $0.connections = 3 }
    var peers: [TestPeer] = []
    for _ in 0..<3 {
      let peer = try TestPeer(to: server.localAddress)
      try peer.send(frame("in"))
      #expect(try peer.receive() == Array("in".utf8))
      peers.append(peer)
    }
    do {
      let refused = try TestPeer(to: server.localAddress)
      let told = String(decoding: try #require(try refused.receive()), as: UTF8.self)
      #expect(told.contains("tooManyConnections(bound: 3)"))
      #expect(try refused.isEnded())
    }
    peers.removeLast()
    try await eventually("a place is free") { server.counters.connectionsOpen == 2 }
    let next = try TestPeer(to: server.localAddress)
    try next.send(frame("in"))
    #expect(try next.receive() == Array("in".utf8))
    #expect(server.counters.connectionsRefused == 1)
  }
}
