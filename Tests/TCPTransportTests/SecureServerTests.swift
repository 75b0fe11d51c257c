import Locks
import Sockets
import TLS
import TestCertificates
import Testing

@testable import TCPTransport

/// Encrypted connections on real sockets of the loopback.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SecureServerTests {
  private let certificates: TestCertificates
  private let root: TestCertificates.Identity

  init() throws {
    certificates = try TestCertificates()
    root = try certificates.root("root")
  }

  private func context(_ name: String = "server", clientCA: String? = nil) throws -> TLSContext {
    let identity = try certificates.leaf(name, by: root, names: "IP:127.0.0.1")
    var settings = TLSContext.Server(certificate: identity.certificate, key: identity.key)
    settings.clientCA = clientCA
    settings.requiresClientCertificate = false
    return try TLSContext(settings)
  }

  private func clientSecurity(
    _ identity: TestCertificates.Identity? = nil
  ) throws -> ClientSecurity {
    var settings = TLSContext.Client()
    settings.ca = root.certificate
    settings.certificate = identity?.certificate
    settings.key = identity?.key
    return ClientSecurity(try TLSContext(settings))
  }

  private func server(
    _ context: TLSContext, _ log: EchoLog = EchoLog(),
    _ change: (inout TransportBounds) -> Void = { _ in }
  ) throws -> TCPServer {
    var bounds = TransportBounds.standard
    change(&bounds)
    let server = try TCPServer(
      address: try SocketAddress("127.0.0.1:0"), bounds: bounds, lanes: 2,
      security: TransportSecurity(context)
    ) { _, _ in EchoHandler(log) }
    server.start()
    return server
  }

  /// A client whose events gather.
  private final class Inbox: Sendable {
    let frames = Locked<[[UInt8]]>([])
    let end = Locked<TransportError??>(nil)

    func take(_ event: ClientEvent) {
      switch event {
      case .frame(let bytes): frames.withLock { $0.append(bytes) }
      case .closed(let error): end.withLock { $0 = .some(error) }
      }
    }
  }

  private func client(
    of server: TCPServer, _ inbox: Inbox, _ identity: TestCertificates.Identity? = nil
  ) async throws -> ClientConnection {
    try await ClientConnection.connect(
      to: .tcp(server.localAddress), security: clientSecurity(identity)
    ) { inbox.take($0) }
  }

  /// Sends a frame, the first, and waits for its answer.
  private func exchange(over client: ClientConnection, _ inbox: Inbox) async throws {
    try await client.send(frame("x"))
    try await eventually("answered") { inbox.frames.withLock { $0.count } == 1 }
  }

  /// A client of which the test says what goes out in one write.
  private final class HandMadeClient {
    private let peer: TestPeer
    private var session: TLSSession
    /// Encrypted, and not sent yet.
    private var unsent: [UInt8] = []

    /// Does the handshake, but for the client's last message, which is unsent.
    init(of server: TCPServer, _ security: ClientSecurity) throws {
      peer = try TestPeer(to: server.localAddress)
      session = try TLSSession(connecting: security.context, to: "127.0.0.1", toSend: &unsent)
      while !session.isEstablished {
        try send()
        _ = try #require(try received())
      }
    }

    func send() throws {
      try peer.send(unsent)
      unsent = []
    }

    func seal(_ bytes: [UInt8]) { #expect(session.seal(bytes[...], toSend: &unsent)) }

    func sayGoodbye() { session.end(toSend: &unsent) }

    /// The next bytes, decrypted; nil at the end.
    private func received() throws -> [UInt8]? {
      guard let sealed = try peer.receiveBytes() else { return nil }
      var room = [UInt8](repeating: 0, count: sealed.count + TLSSession.extraBytes)
      var span = room.mutableSpan
      var raw = unsafe span.mutableBytes
      let (count, outcome) = unsafe session.open(
        sealed.span.bytes, into: &raw, toSend: &unsent)
      if case .failed(let failure) = outcome { throw failure }
      return Array(room[..<count])
    }

    /// All that comes until the end.
    func rest() throws -> [UInt8] {
      var bytes: [UInt8] = []
      while let more = try received() { bytes += more }
      return bytes
    }
  }

  /// The goodbye comes in the same read as more frames than one turn takes, or as the handshake's end.
  @Test(arguments: [(3_000, false), (3_000, true), (100, true)])
  func framesBeforeAGoodbyeAreAnswered(count: Int, withTheHandshake: Bool) async throws {
    let log = EchoLog()
    let server = try server(context(), log)
    let client = try HandMadeClient(of: server, clientSecurity())
    if !withTheHandshake {
      try client.send()
      try await eventually("adopted") { server.counters.connectionsAccepted == 1 }
    }
    let frames = (0..<count).flatMap { frame("\($0)") }
    client.seal(frames)
    client.sayGoodbye()
    try client.send()
    let answers = try client.rest()
    #expect(answers == frames, "\(answers.count) of \(frames.count) bytes")
    #expect(log.handled == count)
    try await eventually("closed") { server.counters.closedByPeer == 1 }
    #expect(server.counters.secureCuts == 0 && server.counters.secureFailures == 0)
  }

  @Test func aGoodbyeWithTheHandshakeIsNoFailure() async throws {
    let server = try server(context())
    let client = try HandMadeClient(of: server, clientSecurity())
    client.sayGoodbye()
    try client.send()
    #expect(try client.rest().isEmpty)
    try await eventually("closed") { server.counters.closedByPeer == 1 }
    #expect(server.counters.handshakes?.done == 1)
  }

  @Test func framesGoBothWays() async throws {
    let log = EchoLog()
    let server = try server(context(), log)
    let inbox = Inbox()
    let client = try await client(of: server, inbox)
    let bodies = (0..<500).map { Array("frame \($0)".utf8) }
    for body in bodies { try await client.send(frame(body)) }
    try await client.send(frame([UInt8](repeating: 5, count: 200_000)))
    try await eventually("all came back") { inbox.frames.withLock { $0.count } == 501 }
    #expect(inbox.frames.withLock { Array($0.dropLast()) } == bodies)
    #expect(server.counters.handshakes?.done == 1)
    #expect(log.now.peers.map(\.address) == ["127.0.0.1"])
    await client.close()
  }

  @Test func lateRepliesAreEncrypted() async throws {
    let log = EchoLog()
    let server = try server(context(), log)
    let inbox = Inbox()
    let client = try await client(of: server, inbox)
    for number in 0..<20 { try await client.send(frame("d\(number)")) }
    try await eventually("deferred") { log.now.deferred.count == 20 }
    var batch = ReplyBatch()
    for one in log.now.deferred { batch.append(to: one.connection, frame: frame(one.body)) }
    server.replies.post(batch)
    try await eventually("answered") { inbox.frames.withLock { $0.count } == 20 }
    await client.close()
  }

  @Test func aCertificateTellsWhoThePeerIs() async throws {
    let log = EchoLog()
    let server = try server(context(clientCA: root.certificate), log)
    let router = try certificates.leaf(
      "router", by: root, names: "DNS:router.example.org", use: "clientAuth")
    let inbox = Inbox()
    let client = try await client(of: server, inbox, router)
    try await exchange(over: client, inbox)
    #expect(log.now.peers.map(\.certificateNames) == [["dns:router.example.org", "cn:router"]])
    await client.close()
  }

  @Test func aClientThatClosesSaysGoodbye() async throws {
    let server = try server(context())
    let inbox = Inbox()
    let client = try await client(of: server, inbox)
    try await exchange(over: client, inbox)
    await client.close()
    try await eventually("closed") { server.counters.closedByPeer == 1 }
    #expect(server.counters.secureCuts == 0 && server.counters.secureFailures == 0)
  }

  /// Frames in the clear, and HTTP, never reach the handler.
  @Test func nothingInTheClearIsHandled() async throws {
    let log = EchoLog()
    let server = try server(context(), log)
    for bytes in [frame("hello"), Array("GET / HTTP/1.1\r\n\r\n".utf8)] {
      let peer = try TestPeer(to: server.localAddress)
      try peer.send(bytes)
    }
    try await eventually("refused") { server.counters.handshakes?.failed[.plaintext] == 2 }
    #expect(log.handled == 0 && server.counters.connectionsAccepted == 0)
  }

  @Test func aHandshakeThatIsNotDoneInTimeEnds() async throws {
    let server = try server(context()) { $0.handshakeDuration = .milliseconds(200) }
    let peers = try (0..<3).map { _ in try TestPeer(to: server.localAddress) }
    try await eventually("ended") { server.counters.handshakes?.failed[.timeout] == 3 }
    #expect(server.counters.handshakes?.underWay == 0)
    #expect(peers.count == 3)
  }

  /// With the gate full of peers that say nothing, others get in soon.
  @Test func silentPeersMakeRoom() async throws {
    let server = try server(context()) {
      $0.handshakes = 4
      $0.handshakeDuration = .seconds(1)
    }
    let silent = try (0..<12).map { _ in try TestPeer(to: server.localAddress) }
    let inbox = Inbox()
    let client = try await client(of: server, inbox)
    try await exchange(over: client, inbox)
    #expect(silent.count == 12)
    await client.close()
  }

  /// One address that connects and says nothing, however often, keeps no other out.
  @Test func oneAddressDoesNotHoldTheGate() async throws {
    let server = try server(context()) { $0.handshakes = 8 }
    // Twenty times as many as there is room for: by the time alone they would be through in 20 s.
    let silent = try (0..<160).map { _ in
      try TestPeer(to: server.localAddress, from: 0x7F00_0002)
    }
    let began = MonotonicInstant.now()
    let inbox = Inbox()
    let client = try await client(of: server, inbox)
    try await exchange(over: client, inbox)
    let took = MonotonicInstant.now().duration(since: began)
    #expect(took < .seconds(5), "\(took)")
    #expect(silent.count == 160)
    await client.close()
  }

  /// Many that come at once from one address get in, one after the other: none of them is pushed out.
  @Test func aCrowdOfOneAddressGetsIn() async throws {
    let server = try server(context()) { $0.handshakes = 2 }
    let security = try clientSecurity()
    let endpoint = Endpoint.tcp(server.localAddress)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<40 {
        group.addTask {
          let client = try await ClientConnection.connect(to: endpoint, security: security) { _ in }
          await client.close()
        }
      }
      try await group.waitForAll()
    }
    try await eventually("all are done") { server.counters.handshakes?.done == 40 }
    #expect(server.counters.handshakes?.failed.isEmpty == true)
  }

  @Test func otherCertificatesAreForLaterConnections() async throws {
    let server = try server(context())
    let first = Inbox()
    let old = try await client(of: server, first)
    // One that this client's root does not vouch for.
    let stranger = try certificates.root("stranger")
    let other = try certificates.leaf("other", by: stranger, names: "IP:127.0.0.1")
    server.renew(
      try TLSContext(TLSContext.Server(certificate: other.certificate, key: other.key)))
    let security = try clientSecurity()
    await #expect(throws: TransportError.self) {
      _ = try await ClientConnection.connect(to: .tcp(server.localAddress), security: security) {
        _ in
      }
    }
    try await old.send(frame("still here"))
    try await eventually("answered") { first.frames.withLock { $0.count } == 1 }
    await old.close()
  }

  @Test func drainingSaysGoodbye() async throws {
    let server = try server(context())
    let inbox = Inbox()
    let client = try await client(of: server, inbox)
    try await exchange(over: client, inbox)
    await server.drain(within: .seconds(5))
    try await eventually("told of the end") { inbox.end.withLock { $0 } == .some(nil) }
    await client.close()
  }

  @Test func aServerInTheClearIsNotTakenForAnEncryptedOne() async throws {
    let server = try echoServer()
    let security = try clientSecurity()
    await #expect(throws: TransportError.self) {
      _ = try await ClientConnection.connect(to: .tcp(server.localAddress), security: security) {
        _ in
      }
    }
  }
}
