import RedisStore
import Testing

/// A link against a server that says what the test wants.
@Suite struct LinkTests {
  private func link(
    to fake: FakeRedis, commandTimeout: Duration = .seconds(5),
    _ change: (inout RedisSettings) -> Void = { _ in }
  ) throws -> RedisLink {
    var settings = RedisSettings(address: .tcp(host: "127.0.0.1", port: fake.port))
    settings.connectTimeout = .seconds(5)
    settings.commandTimeout = commandTimeout
    change(&settings)
    return try RedisLink.connect(settings)
  }

  /// The link's answer to one reply, and whether it is still open then.
  private func answer(
    _ reply: String, commandTimeout: Duration = .seconds(5)
  ) throws -> (Result<RedisValue, RedisError>, isOpen: Bool) {
    let fake = try FakeRedis { _ in .text(reply) }
    defer { fake.shutdown() }
    var link = try link(to: fake, commandTimeout: commandTimeout)
    do throws(RedisError) {
      return (.success(try link.command("GET", "x")), link.isOpen)
    } catch {
      return (.failure(error), link.isOpen)
    }
  }

  @Test func repliesBecomeValues() throws {
    for (reply, value) in [
      ("$-1\r\n", RedisValue.null), ("*-1\r\n", .null), (":-5\r\n", .integer(-5)),
      ("+OK\r\n", .status(Array("OK".utf8))), ("$0\r\n\r\n", .bytes([])),
      ("$4\r\na\r\nb\r\n", .bytes(Array("a\r\nb".utf8))), ("*0\r\n", .array([])),
      (
        "*3\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n",
        .array([.bytes([97]), .array([.integer(1)]), .null])
      ),
    ] {
      let (found, isOpen) = try answer(reply)
      #expect(found == .success(value), "\(reply)")
      #expect(isOpen)
    }
  }

  @Test func repliesThatAreNoneCloseTheLink() throws {
    for reply in [
      "hello\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", "$abc\r\n", "$-2\r\nxx\r\n",
      "*-2\r\n", "*4294967297\r\n", ":99999999999999999999\r\n", "$99999999999999999999\r\n",
      "%1\r\n+a\r\n+b\r\n", ":1\r\n:2\r\n", "+OK\r\n+", String(repeating: "*1\r\n", count: 12),
      "*18446744073709551615\r\n", "$9223372036854775807\r\n", "*2147483647\r\n",
      "*1000000000\r\n", "*1\r\n*200000\r\n*200000\r\n*200000\r\n",
    ] {
      let (found, isOpen) = try answer(reply, commandTimeout: .milliseconds(300))
      #expect(throws: RedisError.self, "\(reply.prefix(20))") { try found.get() }
      #expect(!isOpen, "\(reply.prefix(20))")
    }
  }

  @Test func anArrayThatIsTooLongIsNeverAllocated() throws {
    for reply in ["*1000000000\r\n", "*262145\r\n", "*2\r\n*200000\r\n*200000\r\n"] {
      let (found, _) = try answer(reply, commandTimeout: .milliseconds(300))
      if case .failure(.replyTooLarge(let text)) = found {
        #expect(text == "more than 262144 elements")
      } else if reply.hasPrefix("*2\r\n") {
        // The first inner array is allowed, and its elements never come.
        #expect(found == .failure(.timedOut(.milliseconds(300))))
      } else {
        Issue.record("\(reply): \(found)")
      }
    }
  }

  @Test func aTextThatIsTooLongIsCutOffWhileItComes() throws {
    let fake = try FakeRedis { _ in
      .flood(Array("$1073741824\r\n".utf8) + [UInt8](repeating: 120, count: 65_000))
    }
    var link = try link(to: fake)
    #expect(throws: RedisError.replyTooLarge("more than 16777216 bytes")) {
      _ = try link.command("GET", "x")
    }
    let isOpen = link.isOpen
    #expect(!isOpen)
  }

  @Test func aServerThatSaysNothingOrHalfALineIsCutOff() throws {
    for reply in ["", "+OK", "$1073741824\r\nabc", "*3\r\n:1\r\n"] {
      let (found, isOpen) = try answer(reply, commandTimeout: .milliseconds(100))
      #expect(found == .failure(.timedOut(.milliseconds(100))), "\(reply)")
      #expect(!isOpen)
    }
  }

  @Test func aServerThatSendsAByteAtATimeIsCutOff() throws {
    let slow = Array(("$100\r\n" + String(repeating: "x", count: 100) + "\r\n").utf8)
    let fake = try FakeRedis { _ in .drops(slow, milliseconds: 20) }
    var link = try link(to: fake, commandTimeout: .milliseconds(200))
    let begun = ContinuousClock.now
    #expect(throws: RedisError.timedOut(.milliseconds(200))) { _ = try link.command("GET", "x") }
    // The whole reply would take more than two seconds.
    #expect(begun.duration(to: .now) < .seconds(1))
  }

  @Test func afterAnErrorTheLinkIsClosedForGood() throws {
    let fake = try FakeRedis { command in command == ["GET", "b"] ? .close : .text("$1\r\na\r\n") }
    var link = try link(to: fake)
    #expect(throws: RedisError.closed) {
      _ = try link.pipeline(["a", "b", "c"].map { [Array("GET".utf8), Array($0.utf8)] })
    }
    let before = fake.commands.count
    #expect(throws: RedisError.closed) { _ = try link.command("GET", "a") }
    #expect(fake.commands.count == before)
  }

  @Test func refusalsInAPipelineAreValuesInTheirPlace() throws {
    let fake = try FakeRedis { command in
      command[1] == "1" ? .text("-OOM command not allowed\r\n") : .text("$1\r\n\(command[1])\r\n")
    }
    var link = try link(to: fake)
    let replies = try link.pipeline((0..<3).map { [Array("GET".utf8), Array("\($0)".utf8)] })
    #expect(replies[0] == .bytes(Array("0".utf8)) && replies[2] == .bytes(Array("2".utf8)))
    #expect(replies[1].refusal?.kind == .outOfMemory)
    let isOpen = link.isOpen
    #expect(isOpen)
  }

  @Test func whatIsOverTheBoundsIsNotSent() throws {
    let fake = try FakeRedis { _ in .text(":1\r\n") }
    var link = try link(to: fake) {
      $0.bounds.commands = 3
      $0.bounds.requestBytes = 100
    }
    let before = fake.commands.count
    #expect(throws: RedisError.requestTooLarge("4 commands of 3")) {
      _ = try link.pipeline(Array(repeating: [[65]], count: 4))
    }
    #expect(throws: RedisError.requestTooLarge("101 bytes of 100")) {
      _ = try link.command([[65], [UInt8](repeating: 1, count: 100)])
    }
    #expect(fake.commands.count == before)
    #expect(try link.command("PING") == .integer(1))
    #expect(try link.command([[65], [], [0, 0x25, 0x73]]) == .integer(1))
    #expect(fake.commands.last == ["A", "", "\0%s"])
  }

  @Test func namesAreNeverFormats() throws {
    let fake = try FakeRedis { .text("$\($0[1].utf8.count)\r\n\($0[1])\r\n") }
    var link = try link(to: fake)
    for name in ["%s%s%n", "a b", "\r\nFLUSHALL\r\n", "é\u{0}"] {
      #expect(try link.command("ECHO", name) == .bytes(Array(name.utf8)))
    }
  }

  @Test func refusalsAreToldApart() throws {
    for (reply, kind) in [
      ("-NOSCRIPT No matching script.", RedisRefusal.Kind.noScript),
      ("-LOADING Redis is loading the dataset in memory", .loading),
      ("-READONLY You can't write against a read only replica.", .readOnly),
      ("-MOVED 3999 127.0.0.1:6381", .moved), ("-ASK 3999 127.0.0.1:6381", .ask),
      ("-CLUSTERDOWN The cluster is down", .clusterDown), ("-CROSSSLOT Keys", .crossSlot),
      ("-MASTERDOWN Link with MASTER is down", .masterDown), ("-BUSY Redis is busy", .busy),
      ("-OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory),
      ("-MISCONF Redis is configured to save", .cannotSave),
      ("-NOREPLICAS Not enough", .noReplicas),
      ("-NOPERM this user has no permissions", .noPermission),
      ("-NOAUTH required", .noAuthentication),
      ("-WRONGPASS invalid username-password pair", .wrongPassword),
      ("-ERR invalid password", .wrongPassword), ("-WRONGTYPE Operation", .wrongType),
      ("-ERR Error running script (call to f_1): @user_script:1: -READONLY You can't", .readOnly),
      ("-ERR unknown command", .other), ("-BDARG bad shape", .other), ("-", .other),
    ] {
      let (found, isOpen) = try answer(reply + "\r\n")
      #expect(try found.get().refusal?.kind == kind, "\(reply)")
      #expect(isOpen)
    }
  }

  @Test func refusalsAreFitForALog() throws {
    let (found, _) = try answer(
      "-ERR \u{1B}[2J\u{202E}" + String(repeating: "x", count: 5_000) + "\r\n")
    let refusal = try #require(try found.get().refusal)
    #expect(refusal.text.hasPrefix("ERR \\u{1b}[2J\\u{202e}xxx"))
    #expect(refusal.text.count < 200)
  }
}
