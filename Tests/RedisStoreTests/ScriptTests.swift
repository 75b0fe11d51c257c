import RedisStore
import Testing

/// Scripts against a server that knows some of them.
@Suite struct ScriptTests {
  private static let digest = String(repeating: "ab", count: 20)
  private let script = RedisScript("return ARGV[1]")

  private func settings(_ fake: FakeRedis) -> RedisSettings {
    var settings = RedisSettings(address: .tcp(host: "127.0.0.1", port: fake.port))
    settings.connectTimeout = .seconds(20)
    settings.commandTimeout = .seconds(20)
    return settings
  }

  private func calls(_ count: Int) -> [RedisScriptCall] {
    (0..<count).map { RedisScriptCall(keys: [Array("k\($0)".utf8)], arguments: [[UInt8($0)]]) }
  }

  @Test func onlyUnknownCallsAreSentAgain() throws {
    let fake = try FakeRedis { command in
      switch command[0] {
      case "SCRIPT": .text("$40\r\n\(Self.digest)\r\n")
      // Forgotten once, between the second call and the third.
      case "EVALSHA" where ["k2", "k3", "k4"].contains(command[3]) && command.count == 5:
        .text("-NOSCRIPT No matching script. Please use EVAL.\r\n")
      default: .text("$2\r\n\(command[3])\r\n")
      }
    }
    var link = try RedisLink.connect(settings(fake))
    let before = fake.commands.count
    let replies = try link.evaluate(script, calls(5))
    let sent = fake.commands.dropFirst(before).map { "\($0[0]) \($0.count > 3 ? $0[3] : $0[1])" }
    #expect(
      sent == [
        "SCRIPT LOAD", "EVALSHA k0", "EVALSHA k1", "EVALSHA k2", "EVALSHA k3", "EVALSHA k4",
        "EVAL k2", "EVALSHA k3", "EVALSHA k4",
      ])
    #expect(replies[0].bytes == Array("k0".utf8) && replies[2].bytes == Array("k2".utf8))
    // A server that says so for ever is not asked for ever.
    #expect(replies[3].refusal?.kind == .noScript)
    _ = try link.evaluate(script, calls(1))
    #expect(fake.commands.last?[0] == "EVALSHA", "loaded once a link")
  }

  @Test func aScriptThatMayNotBeLoadedGoesOutAsText() throws {
    let fake = try FakeRedis { command in
      command[0] == "SCRIPT" ? .text("-NOPERM no\r\n") : .text(":1\r\n")
    }
    var link = try RedisLink.connect(settings(fake))
    let before = fake.commands.count
    #expect(try link.evaluate(script, calls(2)) == [.integer(1), .integer(1)])
    _ = try link.evaluate(script, calls(1))
    let sent = fake.commands.dropFirst(before).map { $0[0] }
    #expect(sent == ["SCRIPT", "EVAL", "EVAL", "EVAL"])
  }

  @Test func aDigestThatIsNoneClosesTheLink() throws {
    for reply in ["$3\r\nabc\r\n", ":5\r\n", "$-1\r\n", "$40\r\n\(Self.digest.uppercased())\r\n"] {
      let fake = try FakeRedis { _ in .text(reply) }
      var link = try RedisLink.connect(settings(fake))
      #expect(throws: RedisError.self) { _ = try link.evaluate(script, calls(1)) }
      let isOpen = link.isOpen
      #expect(!isOpen)
    }
  }

  @Test func aServerThatIsLoadingIsSaidToBe() throws {
    let fake = try FakeRedis { _ in .text("-LOADING Redis is loading the dataset in memory\r\n") }
    var link = try RedisLink.connect(settings(fake))
    let error = #expect(throws: RedisError.self) { _ = try link.evaluate(script, calls(1)) }
    guard case .refused("SCRIPT LOAD", let refusal) = error else {
      Issue.record("\(error as Any)")
      return
    }
    #expect(refusal.kind == .loading)
    let isOpen = link.isOpen
    #expect(isOpen, "a refusal is no reason to hang up")
  }
}
