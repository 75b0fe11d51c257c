import TestCertificates
import Testing

@testable import TLS

/// Two sessions, back to back, without a socket.
@Suite struct TLSSessionTests {
  /// A client and a server with what each has received and not taken in.
  private final class Pair {
    var client: TLSSession
    var server: TLSSession
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    var clientFailure: TLSFailure?
    var serverFailure: TLSFailure?
    var serverReceived: [UInt8] = []
    var clientReceived: [UInt8] = []
    var serverEnded = false

    init(_ server: TLSContext, _ client: TLSContext, name: String = "localhost") throws {
      self.server = try TLSSession(accepting: server)
      var first: [UInt8] = []
      self.client = try TLSSession(connecting: client, to: name, toSend: &first)
      toServer = first
    }

    var clientIsUp: Bool { client.isEstablished }
    var serverIsUp: Bool { server.isEstablished }
    var names: [String] { server.peerNames }
    var version: String { server.version }
    var isMidRecord: Bool { server.isMidRecord }

    func send(_ bytes: [UInt8]) -> Bool { client.seal(bytes[...], toSend: &toServer) }
    func answer(_ bytes: [UInt8]) -> Bool { server.seal(bytes[...], toSend: &toClient) }

    /// Carries bytes to and fro, `step` at a time, until nothing moves.
    func settle(step: Int = .max) {
      while !toServer.isEmpty || !toClient.isEmpty {
        let forServer = Array(toServer.prefix(step))
        toServer.removeFirst(forServer.count)
        if !forServer.isEmpty, serverFailure == nil {
          let (got, outcome) = Self.open(&server, forServer, toSend: &toClient)
          serverReceived += got
          if case .failed(let failure) = outcome { serverFailure = failure }
          if outcome == .ended { serverEnded = true }
        }
        let forClient = Array(toClient.prefix(step))
        toClient.removeFirst(forClient.count)
        if !forClient.isEmpty, clientFailure == nil {
          let (got, outcome) = Self.open(&client, forClient, toSend: &toServer)
          clientReceived += got
          if case .failed(let failure) = outcome { clientFailure = failure }
        }
      }
    }

    private static func open(
      _ session: inout TLSSession, _ bytes: [UInt8], toSend: inout [UInt8]
    ) -> ([UInt8], TLSSession.Opening) {
      var room = [UInt8](repeating: 0, count: bytes.count + TLSSession.extraBytes)
      var span = room.mutableSpan
      var raw = unsafe span.mutableBytes
      let (count, outcome) = unsafe session.open(bytes.span.bytes, into: &raw, toSend: &toSend)
      return (Array(room[..<count]), outcome)
    }
  }

  private let certificates: TestCertificates
  private let root: TestCertificates.Identity
  private let server: TestCertificates.Identity

  init() throws {
    certificates = try TestCertificates()
    root = try certificates.root("root")
    server = try certificates.leaf("server", by: root, names: "DNS:localhost,IP:127.0.0.1")
  }

  private func serverContext(clientCA: String? = nil, requires: Bool = true) throws -> TLSContext {
    var settings = TLSContext.Server(certificate: server.certificate, key: server.key)
    settings.clientCA = clientCA
    settings.requiresClientCertificate = requires
    return try TLSContext(settings)
  }

  private func clientContext(
    ca: String? = nil, _ identity: TestCertificates.Identity? = nil,
    _ verification: TLSContext.Client.Verification = .full
  ) throws -> TLSContext {
    var settings = TLSContext.Client()
    settings.ca = ca ?? root.certificate
    settings.verification = verification
    settings.certificate = identity?.certificate
    settings.key = identity?.key
    return try TLSContext(settings)
  }

  @Test(arguments: [Int.max, 1, 7, 1_000])
  func bytesComeThroughHoweverTheyAreCut(_ step: Int) throws {
    let pair = try Pair(serverContext(), clientContext())
    pair.settle(step: step)
    #expect(pair.clientIsUp && pair.serverIsUp)
    #expect(pair.version == "TLSv1.3")
    let message = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    #expect(pair.send(message))
    #expect(pair.answer([1, 2, 3]))
    pair.settle(step: step)
    #expect(pair.serverReceived == message)
    #expect(pair.clientReceived == [1, 2, 3])
    #expect(!pair.isMidRecord)
    pair.client.end(toSend: &pair.toServer)
    pair.settle(step: step)
    #expect(pair.serverEnded)
  }

  /// A client may send the end of its handshake and its first bytes in one segment.
  @Test func bytesBehindTheHandshakeAreNotLost() throws {
    let pair = try Pair(serverContext(), clientContext())
    // The server's whole answer, then the client's end of the handshake, held back.
    var answer: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 64 * 1024)
    var span = room.mutableSpan
    var raw = unsafe span.mutableBytes
    _ = unsafe pair.server.open(pair.toServer.span.bytes, into: &raw, toSend: &answer)
    pair.toServer = []
    _ = unsafe pair.client.open(answer.span.bytes, into: &raw, toSend: &pair.toServer)
    #expect(pair.clientIsUp && !pair.serverIsUp)
    #expect(pair.send(Array("first".utf8)))
    pair.settle()
    #expect(pair.serverReceived == Array("first".utf8))
  }

  @Test func partOfARecordShows() throws {
    let pair = try Pair(serverContext(), clientContext())
    pair.settle()
    #expect(pair.send([9, 9, 9]))
    let sealed = pair.toServer
    pair.toServer = Array(sealed.dropLast(2))
    pair.settle()
    #expect(pair.isMidRecord && pair.serverReceived.isEmpty)
    pair.toServer = Array(sealed.suffix(2))
    pair.settle()
    #expect(!pair.isMidRecord && pair.serverReceived == [9, 9, 9])
  }

  @Test func aChangedByteEndsTheSession() throws {
    let pair = try Pair(serverContext(), clientContext())
    pair.settle()
    #expect(pair.send([1, 2, 3]))
    pair.toServer[pair.toServer.count - 1] ^= 1
    pair.settle()
    #expect(pair.serverFailure != nil && pair.serverReceived.isEmpty)
    #expect(!pair.answer([1]), "nothing is sealed after a failure")
    // One session's failure must not count for the next call on the thread.
    let other = try Pair(serverContext(), clientContext())
    other.settle()
    #expect(other.serverIsUp && other.serverFailure == nil)
  }

  @Test(arguments: ["localhost", "127.0.0.1"])
  func theServersNameIsChecked(_ name: String) throws {
    let pair = try Pair(serverContext(), clientContext(), name: name)
    pair.settle()
    #expect(pair.clientIsUp)
  }

  @Test(arguments: ["example.org", "127.0.0.2"])
  func anotherNameIsRefused(_ name: String) throws {
    let pair = try Pair(serverContext(), clientContext(), name: name)
    pair.settle()
    #expect(pair.clientFailure?.kind == .name)
    #expect(pair.serverFailure?.kind == .refused, "the server hears of it by an alert")
    let lenient = try Pair(serverContext(), clientContext(nil, .chain), name: name)
    lenient.settle()
    #expect(lenient.clientIsUp)
  }

  /// OpenSSL would verify no name at all.
  @Test func anEmptyNameIsNoName() throws {
    let failure = #expect(throws: TLSFailure.self) {
      try Pair(serverContext(), clientContext(), name: "")
    }
    #expect(failure?.kind == .name)
    let lenient = try Pair(serverContext(), clientContext(nil, .chain), name: "")
    lenient.settle()
    #expect(lenient.clientIsUp, "where names do not count, none is needed")
  }

  private func clientContext(
    _ identity: TestCertificates.Identity?, _ verification: TLSContext.Client.Verification
  ) throws -> TLSContext {
    try clientContext(ca: nil, identity, verification)
  }

  @Test func aStrangersRootIsRefused() throws {
    let other = try certificates.root("other")
    let pair = try Pair(serverContext(), clientContext(ca: other.certificate))
    pair.settle()
    #expect(pair.clientFailure?.kind == .unknownCA)
    let blind = try Pair(serverContext(), clientContext(ca: other.certificate, nil, .none))
    blind.settle()
    #expect(blind.clientIsUp)
  }

  @Test func aClientsCertificateGivesItsNames() throws {
    let router = try certificates.leaf(
      "router", by: root,
      names: "URI:spiffe://example.org/router/1,DNS:router.example.org,DNS:*.x.y",
      use: "clientAuth")
    let pair = try Pair(serverContext(clientCA: root.certificate), clientContext(ca: nil, router))
    pair.settle()
    #expect(pair.serverIsUp)
    #expect(
      pair.names == [
        "uri:spiffe://example.org/router/1", "dns:router.example.org", "cn:router",
      ])
  }

  @Test func twoCommonNamesAreNoName() throws {
    let router = try certificates.leaf(
      "router", by: root, use: "clientAuth", subject: "/CN=router/CN=admin")
    let pair = try Pair(serverContext(clientCA: root.certificate), clientContext(ca: nil, router))
    pair.settle()
    #expect(pair.serverIsUp && pair.names == [])
  }

  @Test func clientsThatMustShowACertificateAreJudged() throws {
    let context = try serverContext(clientCA: root.certificate)
    func failure(_ identity: TestCertificates.Identity?) throws -> TLSFailure.Kind? {
      let pair = try Pair(context, clientContext(ca: nil, identity))
      pair.settle()
      return pair.serverFailure?.kind
    }
    let stranger = try certificates.root("stranger")
    #expect(try failure(nil) == .noCertificate)
    #expect(
      try failure(certificates.leaf("x", by: stranger, use: "clientAuth")) == .unknownCA)
    #expect(try failure(certificates.leaf("y", by: root, use: "serverAuth")) == .purpose)
    #expect(
      try failure(certificates.leaf("z", by: root, use: "clientAuth", days: -1)) == .expired)
    let optional = try Pair(
      serverContext(clientCA: root.certificate, requires: false), clientContext())
    optional.settle()
    #expect(optional.serverIsUp && optional.names == [])
  }

  @Test func bytesInTheClearAreToldApart() throws {
    for text in [[0, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7], Array("GET / HTTP/1.1\r\n\r\n".utf8)] {
      let pair = try Pair(serverContext(), clientContext())
      pair.toServer = text.map { UInt8($0) }
      pair.settle()
      #expect(pair.serverFailure?.kind == .plaintext, "\(pair.serverFailure as Any)")
    }
  }

  @Test func filesThatAreNotWhatTheyHaveToBeAreRefused() throws {
    let other = try certificates.leaf("other", by: root)
    func failure(_ certificate: String, _ key: String) -> String? {
      do throws(TLSFailure) {
        _ = try TLSContext(TLSContext.Server(certificate: certificate, key: key))
        return nil
      } catch {
        return error.description
      }
    }
    #expect(failure(server.certificate, other.key)?.contains("mismatch") == true)
    #expect(failure(server.key, server.key) != nil)
    #expect(failure("/nowhere", server.key)?.contains("No such file") == true)
    #expect(failure(server.certificate, server.key) == nil)
    let context = try serverContext(clientCA: root.certificate)
    #expect(context.certificateEnd != nil && context.clientCAEnd != nil)
  }
}
