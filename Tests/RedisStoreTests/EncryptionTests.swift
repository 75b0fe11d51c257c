import Foundation
import TLS
import TestCertificates
import Testing

@testable import RedisStore

/// Links to a real redis-server that speaks TLS.
@Suite struct EncryptionTests {
  private let certificates: TestCertificates
  private let root: TestCertificates.Identity
  private let server: TestCertificates.Identity

  init() throws {
    certificates = try TestCertificates()
    root = try certificates.root("root")
    server = try certificates.leaf("redis", by: root, names: "DNS:redis.example,IP:127.0.0.1")
  }

  /// A server on a port that speaks TLS alone.
  private func redis(_ more: String..., authClients: String = "no") throws -> (RealRedis, UInt16) {
    let port = try RealRedis.freePort()
    let redis = try RealRedis(
      arguments: [
        "--tls-port", "\(port)", "--tls-cert-file", server.certificate, "--tls-key-file",
        server.key, "--tls-ca-cert-file", root.certificate, "--tls-auth-clients", authClients,
      ] + more)
    return (redis, port)
  }

  private func settings(
    _ port: UInt16, name: String? = nil, _ change: (inout TLSContext.Client) -> Void = { _ in }
  ) -> RedisSettings {
    var settings = RedisSettings(address: .tcp(host: "127.0.0.1", port: port))
    settings.connectTimeout = .seconds(20)
    settings.commandTimeout = .seconds(20)
    var client = TLSContext.Client()
    client.ca = root.certificate
    change(&client)
    settings.encryption = RedisTLS(client, serverName: name)
    return settings
  }

  private func failure(_ settings: RedisSettings) throws -> TLSFailure.Kind? {
    let error = try #require(throws: RedisError.self) {
      var link = try RedisLink.connect(settings)
      _ = try link.command("PING")
    }
    if case .encryption(_, let failure) = error { return failure.kind }
    Issue.record("\(error)")
    return nil
  }

  @Test func namesAndAddressesAreVerified() throws {
    let (redis, port) = try redis()
    defer { redis.kill() }
    for name in [nil, "redis.example", "127.0.0.1"] {
      var link = try RedisLink.connect(settings(port, name: name))
      #expect(try link.command("PING") == .status(Array("PONG".utf8)))
    }
    #expect(try failure(settings(port, name: "other.example")) == .name)
    #expect(try failure(settings(port, name: "127.0.0.2")) == .name)
    var link = try RedisLink.connect(
      settings(port, name: "other.example") { $0.verification = .chain })
    #expect(try link.command("PING") == .status(Array("PONG".utf8)))
  }

  @Test func authoritiesAreVerifiedUnlessToldOtherwise() throws {
    let (redis, port) = try redis()
    defer { redis.kill() }
    let stranger = try certificates.root("stranger")
    for verification in [TLSContext.Client.Verification.full, .chain] {
      #expect(
        try failure(
          settings(port) {
            $0.ca = stranger.certificate
            $0.verification = verification
          }) == .unknownCA)
    }
    // The system's authorities do not know a test's.
    #expect(try failure(settings(port) { $0.ca = nil }) == .unknownCA)
    var link = try RedisLink.connect(
      settings(port) {
        $0.ca = nil
        $0.verification = .none
      })
    #expect(try link.command("PING") == .status(Array("PONG".utf8)))
  }

  @Test func clientsShowCertificatesWhereTheyMust() throws {
    let (redis, port) = try redis(authClients: "yes")
    defer { redis.kill() }
    let mine = try certificates.leaf("node", by: root, use: "clientAuth")
    var link = try RedisLink.connect(
      settings(port) { ($0.certificate, $0.key) = (mine.certificate, mine.key) })
    #expect(try link.command("PING") == .status(Array("PONG".utf8)))
    // In TLS 1.3 the refusal comes with the first reply.
    let error = #expect(throws: RedisError.self) { _ = try RedisLink.connect(settings(port)) }
    #expect("\(error as Any)".contains("the server refused the connection"))
  }

  @Test func filesAreReadAgainWhenTold() throws {
    let one = try certificates.leaf("one", by: root, use: "clientAuth")
    let other = try certificates.leaf("other", by: root, use: "clientAuth", days: 300)
    var client = TLSContext.Client()
    (client.certificate, client.key) = (one.certificate, one.key)
    let contexts = RedisTLSContexts()
    let before = try contexts.context(of: client).certificateEnd
    try Self.copy(other.certificate, to: one.certificate)
    try Self.copy(other.key, to: one.key)
    #expect(try contexts.context(of: client).certificateEnd == before)
    contexts.readFilesAgain()
    let after = try contexts.context(of: client).certificateEnd
    #expect(after != before)
    // A pair that is no good leaves the one before.
    try Self.copy(server.key, to: one.key)
    contexts.readFilesAgain()
    #expect(try contexts.context(of: client).certificateEnd == after)
  }

  private static func copy(_ path: String, to place: String) throws {
    try Data(contentsOf: URL(filePath: path)).write(to: URL(filePath: place))
  }

  @Test func filesThatAreNoGoodAreSaid() throws {
    let fake = try FakeRedis { _ in .nothing }
    let error = #expect(throws: RedisError.self) {
      _ = try RedisLink.connect(settings(fake.port) { $0.ca = "/nowhere/ca.pem" })
    }
    #expect("\(error as Any)".contains("no encrypted connection to 127.0.0.1"))
  }

  @Test func aServerInTheClearIsNamed() throws {
    let fake = try FakeRedis(handlesGreeting: true) { _ in .text("-ERR\r\n") }
    var settings = settings(fake.port)
    settings.connectTimeout = .milliseconds(300)
    // It waits for a line that never ends, or answers in the clear.
    let begun = ContinuousClock.now
    let kind = try failure(settings)
    #expect(begun.duration(to: .now) < .seconds(10))
    #expect(kind == .timeout || kind == .plaintext || kind == .protocolVersion)
  }

  @Test func aServerThatSaysNothingIsToldFromOneThatRefuses() throws {
    let fake = try FakeRedis(handlesGreeting: true) { _ in .nothing }
    var settings = settings(fake.port)
    settings.connectTimeout = .milliseconds(150)
    let error = try #require(throws: RedisError.self) { _ = try RedisLink.connect(settings) }
    #expect(error.isSilence && "\(error)".contains("the handshake was not done in time"))
    let stranger = RedisError.encryption(settings.address, TLSFailure(.unknownCA, "unknown"))
    #expect(!stranger.isSilence && !RedisError.closed.isSilence)
  }

  @Test func largePipelinesPassInBothDirections() throws {
    let (redis, port) = try redis()
    defer { redis.kill() }
    var link = try RedisLink.connect(settings(port))
    let filler = String(repeating: "x", count: 600)
    let commands = (0..<10_000).map { [Array("ECHO".utf8), Array("\($0)\(filler)".utf8)] }
    let replies = try link.pipeline(commands)
    let inOrder = replies.indices.allSatisfy { replies[$0].bytes == commands[$0][1] }
    #expect(replies.count == 10_000 && inOrder)
    let large = [UInt8](repeating: 7, count: 3 << 20)
    #expect(try link.command([Array("ECHO".utf8), large]) == .bytes(large))
  }

  @Test func aServerThatHangsIsCutOff() throws {
    let (redis, port) = try redis()
    defer { redis.kill() }
    var settings = settings(port)
    settings.commandTimeout = .milliseconds(150)
    var link = try RedisLink.connect(settings)
    #expect(throws: RedisError.timedOut(.milliseconds(150))) {
      _ = try link.command("DEBUG", "SLEEP", "0.6")
    }
    redis.kill()
    #expect(throws: RedisError.closed) { _ = try link.command("PING") }
  }

  @Test func olderServersSpeakTheVersionBefore() throws {
    let (redis, port) = try redis("--tls-protocols", "TLSv1.2")
    defer { redis.kill() }
    var link = try RedisLink.connect(settings(port))
    #expect(try link.command("PING") == .status(Array("PONG".utf8)))
  }
}
