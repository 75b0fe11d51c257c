import Sockets
import Testing

@testable import TCPTransport

/// Peers that have to say who they are, and peers that are known no more.
extension TCPServerTests {
  private func text(_ bytes: [UInt8]?) -> String? {
    bytes.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func whoeverDoesNotSayWhoItIsIsClosed() async throws {
    let server = try echoServer(EchoLog(isStrict: true)) {
      $0.introductionDuration = .milliseconds(200)
    }
    let known = try TestPeer(to: server.localAddress)
    try known.send(frame("i am"))
    #expect(text(try known.receive()) == "i am")
    let stranger = try TestPeer(to: server.localAddress)
    try stranger.send(frame("hello"))
    #expect(text(try stranger.receive()) == "hello")
    #expect(text(try stranger.receive()) == "refused: unintroduced(bound: 0.2 seconds)")
    #expect(try stranger.receive() == nil)
    try known.send(frame("still here"))
    #expect(text(try known.receive()) == "still here")
    #expect(server.counters.closedForAccess == 1)
  }

  @Test func aPeerThatIsKnownNoMoreGetsItsRepliesAndIsClosed() async throws {
    let log = EchoLog()
    let server = try echoServer(log, lanes: 1)
    let leaving = try TestPeer(to: server.localAddress)
    try leaving.send(frame("d1"))
    try await eventually("handled") { log.now.deferred.count == 1 }
    let staying = try TestPeer(to: server.localAddress)
    try staying.send(frame("d2"))
    try await eventually("handled") { log.now.deferred.count == 2 }
    log.note { $0.revoked = [$0.deferred[0].connection.slot] }
    server.replies.review()
    #expect(text(try leaving.receive()) == "refused: revoked")
    var batch = ReplyBatch()
    for entry in log.now.deferred { batch.append(to: entry.connection, frame: frame(entry.body)) }
    server.replies.post(batch)
    #expect(text(try leaving.receive()) == "d1")
    #expect(try leaving.receive() == nil)
    #expect(text(try staying.receive()) == "d2")
    try staying.send(frame("still here"))
    #expect(text(try staying.receive()) == "still here")
    #expect(server.counters.closedForAccess == 1)
  }

  @Test func onlyAStrangerIsDisplaced() async throws {
    let log = EchoLog(isStrict: true)
    let server = try echoServer(log, lanes: 1)
    let known = try TestPeer(to: server.localAddress)
    try known.send(frame("d1"))
    try await eventually("handled") { log.now.deferred.count == 1 }
    let stranger = try TestPeer(to: server.localAddress)
    try stranger.send(frame("d2"))
    try await eventually("handled") { log.now.deferred.count == 2 }
    try known.send(frame("i am"))
    #expect(text(try known.receive()) == "i am")
    for entry in log.now.deferred { server.replies.dismiss(entry.connection) }
    #expect(text(try stranger.receive()) == "refused: displaced")
    try known.send(frame("still here"))
    #expect(text(try known.receive()) == "still here")
    #expect(server.counters.closedForAccess == 1)
  }

  @Test func whoWaitsForALastReplyMakesRoomToo() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("zlast"))
    try await eventually("handled") { log.now.deferred.count == 1 }
    server.replies.dismiss(log.now.deferred[0].connection)
    #expect(try peer.isEnded())
  }

  @Test func aLastReplyThatComesLaterIsTheLast() async throws {
    let log = EchoLog()
    let server = try echoServer(log)
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(frame("zlast") + frame("more"))
    try await eventually("handled") { log.now.deferred.count == 1 }
    var batch = ReplyBatch()
    for entry in log.now.deferred { batch.append(to: entry.connection, frame: frame(entry.body)) }
    server.replies.post(batch)
    #expect(text(try peer.receive()) == "zlast")
    #expect(try peer.receive() == nil)
    #expect(log.handled == 1)
    #expect(server.counters.closedByHandler == 1)
  }
}
