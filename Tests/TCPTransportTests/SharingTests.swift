import Sockets
import Testing

@testable import TCPTransport

/// Bounds on a client over all its connections.
extension TCPServerTests {
  private func text(_ bytes: [UInt8]?) -> String? {
    bytes.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func aClientHasSoManyConnections() async throws {
    let server = try echoServer(EchoLog(oneClient: true)) { $0.perClient.connections = 2 }
    var first: TestPeer? = try TestPeer(to: server.localAddress)
    let second = try TestPeer(to: server.localAddress)
    for peer in [first, second] {
      try peer?.send(frame("hello"))
      #expect(text(try peer?.receive()) == "hello")
    }
    let third = try TestPeer(to: server.localAddress)
    #expect(text(try third.receive()) == "refused: tooManyOfClient(bound: 2)")
    #expect(try third.receive() == nil)
    #expect(server.counters.refusedOfClient == 1)
    first = nil
    try await eventually("it has gone") { server.counters.connectionsOpen == 1 }
    let fourth = try TestPeer(to: server.localAddress)
    try fourth.send(frame("hello"))
    #expect(text(try fourth.receive()) == "hello")
  }

  /// Over two lanes: the one's requests stop the other's reading, and its replies let it go on.
  @Test func aClientHasSoManyRequestsUnderWay() async throws {
    let log = EchoLog(oneClient: true)
    let server = try echoServer(log) { $0.perClient.requestsUnderWay = 8 }
    let peers = try (0..<2).map { _ in try TestPeer(to: server.localAddress) }
    for peer in peers { try peer.send((0..<20).flatMap { frame("d\($0)") }) }
    try await eventually("as many as may") { log.now.deferred.count >= 8 }
    var answered = 0
    while answered < 40 {
      try await eventually("more are handled") { log.now.deferred.count > answered }
      let waiting = log.now.deferred.dropFirst(answered)
      // Each lane may have begun one more before it saw the other's.
      #expect(waiting.count <= 9)
      answered += waiting.count
      var batch = ReplyBatch()
      for entry in waiting { batch.append(to: entry.connection, frame: frame(entry.body)) }
      server.replies.post(batch)
    }
    for peer in peers { for index in 0..<20 { #expect(text(try peer.receive()) == "d\(index)") } }
    #expect(server.counters.stoppedByClient > 0)
    let others = try echoServer(EchoLog()) { $0.perClient.requestsUnderWay = 1 }
    let apart = try (0..<2).map { _ in try TestPeer(to: others.localAddress) }
    for peer in apart { try peer.send(frame("d") + frame("x")) }
    try await eventually("each client has its own") { others.counters.frames == 2 }
    withExtendedLifetime(apart) {}
  }

  @Test func aClientHasSoManyBytesUnsent() async throws {
    let log = EchoLog(oneClient: true)
    let server = try echoServer(log, lanes: 1) {
      $0.perClient.unsentBytes = 4 * 1_024 * 1_024
      $0.stallDuration = .seconds(60)
    }
    let deaf = try TestPeer(to: server.localAddress, receiveBuffer: 4_096)
    try deaf.send((0..<16).flatMap { _ in frame("b") })
    try await eventually("stopped") { server.counters.stoppedByClient > 0 }
    let other = try TestPeer(to: server.localAddress)
    try other.send(frame("hello"))
    // The one that does not read takes what is there for it; then both go on.
    for _ in 0..<16 { #expect(try deaf.receive()?.count == 1_024 * 1_024) }
    #expect(text(try other.receive()) == "hello")
  }

  @Test func aClientGoesSoFast() async throws {
    let log = EchoLog(oneClient: true)
    let server = try echoServer(log) { $0.perClient.costPerSecond = 200 }
    let began = MonotonicInstant.now()
    let peers = try (0..<2).map { _ in try TestPeer(to: server.localAddress) }
    for index in 0..<30 {
      for peer in peers {
        try peer.send((0..<10).flatMap { frame("\(index) \($0)") })
        for place in 0..<10 { #expect(text(try peer.receive()) == "\(index) \(place)") }
      }
    }
    // 600 in all, of which the first 200 are free.
    let took = MonotonicInstant.now().duration(since: began)
    #expect(took > .milliseconds(1_800), "\(took)")
    #expect(server.counters.stoppedByRate > 0)
  }

  /// One that asks and resets the connection before it hears anything.
  private func askAndReset(_ server: TCPServer, frames: Int) throws {
    let peer = try TestPeer(to: server.localAddress)
    try peer.send((0..<frames).flatMap { frame("\($0)") })
    peer.resetWhenClosed()
  }

  /// All that came before the reset is handled, and no reply can be sent: the cost is still its own.
  @Test func theNextClientDoesNotPayForOneThatWasLost() async throws {
    var bounds = TransportBounds.standard
    (bounds.perClient.costPerSecond, bounds.turnDuration) = (10, .seconds(10))
    let log = EchoLog()
    let server = try TCPServer(address: SocketAddress("127.0.0.1:0"), bounds: bounds, lanes: 1) {
      _, _ in EchoHandler(log)
    }
    // Before anything is accepted: the reset is there when the first reply goes out.
    try askAndReset(server, frames: 500)
    server.start()
    try await eventually("handled") { log.handled == 500 && server.counters.connectionsOpen == 0 }
    let began = MonotonicInstant.now()
    let other = try TestPeer(to: server.localAddress)
    for index in 0..<3 {
      try other.send(frame("\(index)"))
      #expect(text(try other.receive()) == "\(index)")
    }
    let took = MonotonicInstant.now().duration(since: began)
    #expect(took < .seconds(5), "it rested for another's 500: \(took)")
  }

  /// Neither a frame over the bound in the same turn nor a new connection makes records free.
  @Test func whoConnectsAnewRestsAsBefore() async throws {
    let log = EchoLog(oneClient: true)
    let server = try echoServer(log, lanes: 1) {
      ($0.perClient.costPerSecond, $0.turnDuration) = (500, .seconds(10))
    }
    let began = MonotonicInstant.now()
    let first = try TestPeer(to: server.localAddress)
    try first.send((0..<1_000).flatMap { frame("\($0)") } + header(.max))
    for index in 0..<1_000 { #expect(text(try first.receive()) == "\(index)") }
    #expect(text(try first.receive())?.hasPrefix("refused") == true)
    first.finishSending()
    try await eventually("it has gone") { server.counters.connectionsOpen == 0 }
    let second = try TestPeer(to: server.localAddress)
    try second.send(frame("again"))
    #expect(text(try second.receive()) == "again")
    // 1,000 in all, of which the first 500 are free.
    let took = MonotonicInstant.now().duration(since: began)
    #expect(took > .milliseconds(950), "\(took)")
  }

  @Test func nothingIsCountedWhereNothingIsBounded() throws {
    let server = try echoServer()
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("hello"))
    #expect(text(try peer.receive()) == "hello")
    #expect(TransportBounds.standard.perClient.isNone)
  }
}

@Suite struct SharingTests {
  private func at(_ milliseconds: Int64) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
  }

  @Test func aBucketIsASecondsWorth() {
    var bucket = RateBucket(perSecond: 100, at: at(0))
    #expect(bucket.take(100, at: at(0)) == nil)
    #expect(bucket.take(1, at: at(0)) == at(10))
    #expect(bucket.take(0, at: at(10)) == nil)
    #expect(bucket.take(50, at: at(10)) == at(510))
    #expect(bucket.take(0, at: at(509)) != nil)
    // It fills no further than it was.
    #expect(bucket.take(101, at: at(100_000)) == at(100_010))
  }

  @Test func aBucketKeepsItsRateWhateverTheTurns() {
    var bucket = RateBucket(perSecond: 1_000, at: at(0))
    var now = at(0)
    var taken = 0
    while now < at(60_000) {
      taken += 700
      now = max(now.advanced(by: .milliseconds(1)), bucket.take(700, at: now) ?? now)
    }
    #expect((61_000 - 700...61_000 + 700).contains(taken), "\(taken)")
  }

  @Test func aShareGoesWithItsLastConnection() throws {
    var bounds = ShareBounds()
    bounds.connections = 1
    let shares = ClientShares(bounds, inboxes: [])
    let share = try #require(shares.join("a", at: at(0)))
    #expect(shares.join("a", at: at(0)) == nil)
    #expect(shares.join("b", at: at(0)) != nil)
    #expect(shares.count == 2)
    shares.leave(share, requests: 0, unsent: 0, at: at(0))
    #expect(shares.count == 1)
    #expect(shares.join("a", at: at(0)) != nil)
  }

  private func shares(perSecond: Int) -> ClientShares {
    var bounds = ShareBounds()
    bounds.costPerSecond = perSecond
    return ClientShares(bounds, inboxes: [])
  }

  /// Connecting anew brings no new second.
  @Test func aClientKeepsItsRateHoweverItConnects() throws {
    let shares = shares(perSecond: 200)
    var now = at(0)
    for _ in 0..<20 {
      let share = try #require(shares.join("a", at: now))
      now = share.restsUntil(at: now) ?? now
      _ = share.spend(200, at: now)
      shares.leave(share, requests: 0, unsent: 0, at: now)
    }
    #expect((at(18_000)...at(19_000)).contains(now), "\(now)")
    // Once it has its second again, nothing is left of it.
    let last = try #require(shares.join("a", at: at(60_000)))
    shares.leave(last, requests: 0, unsent: 0, at: at(60_000))
    #expect(shares.count == 0)
  }

  @Test func soManyAreRememberedThatHaveLeft() throws {
    let shares = shares(perSecond: 100)
    var most = 0
    for number in 0..<20_000 {
      let share = try #require(shares.join("client \(number)", at: at(0)))
      _ = share.spend(number == 0 ? 1_000 : 1, at: at(0))
      shares.leave(share, requests: 0, unsent: 0, at: at(0))
      most = max(most, shares.count)
    }
    #expect(most == ClientShares.mostLeft && shares.count > ClientShares.mostLeft / 4)
    // The one that owes the most is among them.
    let share = try #require(shares.join("client 0", at: at(0)))
    #expect(share.restsUntil(at: at(0)) == at(9_000))
    // One that comes back is not counted among those that left.
    shares.leave(share, requests: 0, unsent: 0, at: at(0))
    for number in 0..<20_000 {
      let share = try #require(shares.join("client \(number)", at: at(0)))
      shares.leave(share, requests: 0, unsent: 0, at: at(20_000))
    }
    #expect(shares.count <= ClientShares.mostLeft)
  }

  @Test func aQuarterIsRoom() {
    var bounds = ShareBounds()
    (bounds.requestsUnderWay, bounds.unsentBytes) = (8, 1_000)
    let share = ClientShare(name: "a", bounds, at: at(0))
    share.change(requests: 7, unsent: 1_000)
    #expect(!share.isUsedUp && !share.hasRoom)
    share.change(requests: 1, unsent: 0)
    #expect(share.isUsedUp)
    share.change(requests: -2, unsent: -250)
    #expect(!share.isUsedUp && share.hasRoom)
    share.change(requests: 0, unsent: 251)
    #expect(share.isUsedUp)
  }
}
