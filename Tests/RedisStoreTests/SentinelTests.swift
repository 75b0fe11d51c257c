import Testing

@testable import RedisStore

/// Sentinels say where the master is, or what is wrong.
@Suite struct SentinelTests {
  private func sentinel(_ answer: @escaping @Sendable ([String]) -> FakeRedis.Answer) throws
    -> FakeRedis
  {
    try FakeRedis { command in
      command.first == "SENTINEL" ? answer(command) : .text("-ERR unknown command\r\n")
    }
  }

  private func named(_ host: String, _ port: Int) -> FakeRedis.Answer {
    .text("*2\r\n$\(host.utf8.count)\r\n\(host)\r\n$\("\(port)".utf8.count)\r\n\(port)\r\n")
  }

  private func watch(_ sentinels: [FakeRedis], service: String = "main") -> SentinelWatch {
    let nodes = sentinels.map { RedisAddress.tcp(host: "127.0.0.1", port: $0.port) }
    var settings = RedisSettings(address: nodes[0])
    settings.database = 3
    settings.username = "of-the-master"
    settings.password = RedisPassword("of-the-master")
    return SentinelWatch(settings, RedisSentinels(nodes, service: service))
  }

  @Test func theFirstThatAnswersIsAsked() throws {
    let one = try sentinel { command in
      command == ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"] ? named("10.0.0.1", 7) : .close
    }
    let watch = watch([one])
    for _ in 0..<3 { #expect(try watch.master() == .tcp(host: "10.0.0.1", port: 7)) }
    // One link, no SELECT, and nothing of the master's log-in.
    #expect(one.commands.map(\.first) == ["CLIENT", "INFO", "SENTINEL", "SENTINEL", "SENTINEL"])
  }

  @Test func anotherIsAskedWhereOneIsAwayOrSilent() throws {
    let gone = try FakeRedis { _ in .close }
    let silent = try FakeRedis(handlesGreeting: true) { _ in .nothing }
    let good = try sentinel { _ in named("10.0.0.1", 7) }
    gone.shutdown()
    let watch = watch([gone, silent, good])
    #expect(try watch.master() == .tcp(host: "10.0.0.1", port: 7))
    let before = silent.commands.count
    #expect(try watch.master() == .tcp(host: "10.0.0.1", port: 7))
    #expect(silent.commands.count == before, "the one that has answered is asked first")
  }

  @Test func anUnknownServiceIsSaid() throws {
    let unknown = try sentinel { _ in .text("*-1\r\n") }
    let gone = try FakeRedis { _ in .close }
    gone.shutdown()
    for order in [[unknown, gone], [gone, unknown]] {
      let watch = watch(order, service: "elsewhere")
      let error = #expect(throws: RedisError.self) { try watch.master() }
      #expect("\(error as Any)".contains("knows no service elsewhere"), "\(error as Any)")
    }
  }

  @Test func whatNamesNoAddressIsNoAnswer() throws {
    for reply in ["*1\r\n$1\r\na\r\n", ":1\r\n", "*2\r\n$1\r\na\r\n$1\r\nx\r\n", "+OK\r\n"] {
      let strange = try sentinel { _ in .text(reply) }
      #expect(throws: RedisError.self, "\(reply)") { try watch([strange]).master() }
    }
    let refusing = try sentinel { _ in .text("-NOAUTH needed\r\n") }
    let error = #expect(throws: RedisError.self) { try watch([refusing]).master() }
    #expect("\(error as Any)".contains("a password is needed"))
  }

  @Test func theServerHasToSayThatItIsAMaster() throws {
    for (role, isTaken) in [
      ("*1\r\n$6\r\nmaster\r\n", true), ("*1\r\n$5\r\nslave\r\n", false),
      ("-NOPERM no\r\n", true), ("*1\r\n$8\r\nsentinel\r\n", false),
    ] {
      let fake = try FakeRedis { _ in .text(role) }
      var link = try RedisLink.connect(
        RedisSettings(address: .tcp(host: "127.0.0.1", port: fake.port)))
      do throws(RedisError) {
        try link.expectMaster()
        #expect(isTaken, "\(role)")
      } catch {
        #expect(!isTaken && "\(error)".contains("says that it is a replica"), "\(role)")
      }
    }
  }
}
