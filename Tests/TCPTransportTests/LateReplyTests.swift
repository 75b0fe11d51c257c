import Testing

@testable import TCPTransport

/// Replies that come later fill memory as much as those that come at once: a peer that does not
/// read them is not read either.
extension TCPServerTests {
  private static let mebibyte = 1024 * 1024

  /// Posts so many replies of one MiB to requests that wait.
  private func postLarge(
    _ entries: some Collection<(connection: ConnectionID, body: [UInt8])>, from server: TCPServer
  ) {
    var batch = ReplyBatch()
    for entry in entries {
      batch.append(to: entry.connection, frame: frame([UInt8](repeating: 7, count: Self.mebibyte)))
    }
    server.replies.post(batch)
  }

  @Test func aPeerThatDoesNotReadItsLateRepliesIsStoppedThenClosed() async throws {
    let log = EchoLog()
    let server = try echoServer(log) {
      $0.stallDuration = .milliseconds(200)
      $0.unsentBytes = 2 * Self.mebibyte
    }
    let peer = try TestPeer(to: server.localAddress, receiveBuffer: 4_096)
    try peer.send((0..<16).flatMap { frame("d\($0)") })
    try await eventually("handled") { log.now.deferred.count == 16 }
    postLarge(log.now.deferred, from: server)
    try await eventually("closed as slow") { server.counters.closedSlow == 1 }
  }

  /// Requests that are answered later write nothing now: only late replies can stop the reading.
  @Test func lateRepliesStopTheReadingUntilHalfOfThemAreTaken() async throws {
    let log = EchoLog()
    let server = try echoServer(log, lanes: 1) {
      $0.unsentBytes = 2 * Self.mebibyte
      $0.stallDuration = .seconds(60)
    }
    let peer = try TestPeer(to: server.localAddress, receiveBuffer: 256 * 1024)
    try peer.send((0..<16).flatMap { frame("d\($0)") })
    try await eventually("handled") { log.now.deferred.count == 16 }
    let first = log.now.deferred
    postLarge(first, from: server)
    // Delivered, since the lane takes its mail in order.
    let other = try TestPeer(to: server.localAddress)
    try other.send(frame("d other"))
    try await eventually("the other's request") { log.now.deferred.count == 17 }
    postLarge(log.now.deferred.suffix(1), from: server)
    #expect(try other.receive()?.count == Self.mebibyte)
    // Nothing of this is handled: one frame of another connection goes by each time.
    try peer.send((0..<100).flatMap { frame("d late \($0)") })
    for number in 0..<20 {
      try other.send(frame("\(number)"))
      #expect(try other.receive() == Array("\(number)".utf8))
    }
    #expect(log.now.deferred.count == 17)
    for _ in first { #expect(try peer.receive()?.count == Self.mebibyte) }
    try await eventually("reading goes on") { log.now.deferred.count == 117 }
  }
}

/// A peer that was refused hears why, and is not listened to without end.
extension TCPServerTests {
  @Test func aRefusedPeerIsNotReadForEver() async throws {
    let linger = 256 * 1024
    let server = try echoServer {
      $0.lingerBytes = linger
      $0.lingerDuration = .milliseconds(300)
    }
    let peer = try TestPeer(to: server.localAddress)
    try peer.send(header(8 << 20))
    let told = String(decoding: try #require(try peer.receive()), as: UTF8.self)
    #expect(told.contains("frameTooLarge"))
    let flood = [UInt8](repeating: 0, count: 64 * 1024)
    try await eventually("the connection ends") { peer.sendSome(flood) == nil }
    let bound = linger + TransportBounds.standard.bytesPerTurn + 4
    #expect(server.counters.bytesReceived <= bound)
  }
}
