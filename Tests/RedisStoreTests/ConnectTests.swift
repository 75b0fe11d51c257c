import Dispatch
import Glibc
import Sockets
import Testing

@testable import RedisStore

/// The beginning of a link, and all that can go wrong there.
@Suite struct ConnectTests {
  private func settings(port: UInt16) -> RedisSettings {
    var settings = RedisSettings(address: .tcp(host: "127.0.0.1", port: port))
    settings.connectTimeout = .seconds(5)
    settings.commandTimeout = .milliseconds(200)
    return settings
  }

  private func failure(_ settings: RedisSettings) throws -> RedisError {
    try #require(throws: RedisError.self) { _ = try RedisLink.connect(settings) }
  }

  @Test func nobodyListens() throws {
    let fake = try FakeRedis { _ in .nothing }
    let port = fake.port
    fake.shutdown()
    var error = try failure(settings(port: port))
    // The listener's thread closes it a moment later; until then the connection is reset.
    while case .closed = error { error = try failure(settings(port: port)) }
    #expect("\(error)".contains("127.0.0.1:\(port)") || "\(error)".contains("reset"), "\(error)")
    let path = RedisSettings(address: .unix(path: "/nowhere/redis.sock"))
    #expect("\(try failure(path))".contains("unix:/nowhere/redis.sock"))
    let long = RedisSettings(address: .unix(path: "/" + String(repeating: "x", count: 107)))
    #expect("\(try failure(long))".contains("108 bytes"))
  }

  @Test func nobodyTakesTheConnection() throws {
    // A listener whose queue is full: the kernel drops what knocks.
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    var fillers: [Int32] = []
    defer { for filler in fillers { close(filler) } }
    let port = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        _ = unsafe bind(listener, pointer, length)
        _ = listen(listener, 0)
        _ = unsafe getsockname(listener, pointer, &length)
        for _ in 0..<4 {
          let filler = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
          _ = unsafe connect(filler, pointer, length)
          fillers.append(filler)
        }
        return unsafe UInt16(
          bigEndian: UnsafeRawPointer(pointer).load(
            fromByteOffset: 2, as: UInt16.self))
      }
    }
    var settings = settings(port: port)
    settings.connectTimeout = .milliseconds(200)
    let begun = ContinuousClock.now
    let error = try failure(settings)
    #expect(error == .connectTimedOut(settings.address, .milliseconds(200)) && error.isSilence)
    #expect("\(error)".contains("no connection within 0.2 seconds"), "\(error)")
    // Beside an address that refuses at once it is still the one that costs the time.
    let closed = SocketAddress(host: "127.0.0.1", port: 1)
    let mute = SocketAddress(host: "127.0.0.1", port: port)
    #expect(throws: RedisError.connectTimedOut(settings.address, .milliseconds(100))) {
      _ = try RedisLink(settings, targets: [.tcp(mute), .tcp(closed)])
    }
    #expect(begun.duration(to: .now) < .seconds(3))
  }

  @Test func aGreetingGoesInOrderAndOnlyAsFarAsNeeded() throws {
    let fake = try FakeRedis { _ in .text(":1\r\n") }
    var settings = settings(port: fake.port)
    settings.username = "u"
    settings.password = RedisPassword("p")
    settings.database = 2
    _ = try RedisLink.connect(settings)
    #expect(
      fake.commands == [
        ["AUTH", "u", "p"], ["SELECT", "2"], ["CLIENT", "SETNAME", "budgetd"], ["INFO"],
      ])
    settings.username = nil
    settings.database = 0
    _ = try RedisLink.connect(settings)
    #expect(
      fake.commands.dropFirst(4).prefix(2) == [["AUTH", "p"], ["CLIENT", "SETNAME", "budgetd"]])
  }

  @Test func aGreetingThatIsAnsweredStrangelyFails() throws {
    for (command, reply) in [
      ("AUTH", ":1\r\n"), ("AUTH", "+QUEUED\r\n"), ("SELECT", "$-1\r\n"), ("INFO", ":1\r\n"),
      ("INFO", "-NOAUTH needed\r\n"), ("CLIENT", "?\r\n"), ("AUTH", ""),
    ] {
      let fake = try FakeRedis(handlesGreeting: true) { words in
        words[0] == command ? .text(reply) : FakeRedis.greeting(words) ?? .nothing
      }
      var settings = settings(port: fake.port)
      settings.password = RedisPassword("s3cr3t")
      settings.database = 1
      #expect(!"\(try failure(settings))".contains("s3cr3t"))
    }
  }

  @Test func aLookupThatHangsCostsOneThreadAndNoMoreTime() throws {
    let released = DispatchSemaphore(value: 0)
    let finished = DispatchSemaphore(value: 0)
    let lookup = HostLookup { _, port in
      released.wait()
      defer { finished.signal() }
      return .targets([.tcp(SocketAddress(host: "192.0.2.1", port: port))])
    }
    let address = RedisAddress.tcp(host: "redis.example", port: 1)
    let first = try #require(throws: RedisError.self) {
      try lookup.targets(of: address, within: .milliseconds(50))
    }
    #expect("\(first)".contains("did not answer"), "\(first)")
    let second = try #require(throws: RedisError.self) {
      try lookup.targets(of: address, within: .seconds(60))
    }
    #expect("\(second)".contains("the lookup before"), "\(second)")
    // Numbers and paths need no lookup.
    for host in ["127.0.0.1", "::1"] {
      #expect(
        try lookup.targets(of: .tcp(host: host, port: 5), within: .zero)
          == [.tcp(SocketAddress(host: host, port: 5))])
    }
    released.signal()
    finished.wait()
    // The lookup that nobody waits for any more makes room for the next.
    released.signal()
    var targets: [Endpoint]?
    while targets == nil { targets = try? lookup.targets(of: address, within: .seconds(60)) }
    #expect(targets == [.tcp(SocketAddress(host: "192.0.2.1", port: 1))])
  }

  @Test func aNameWithoutAnAddressIsSaid() throws {
    let lookup = HostLookup { _, _ in .failure("Name or service not known") }
    let error = try #require(throws: RedisError.self) {
      try lookup.targets(of: .tcp(host: "no\u{1B}where", port: 1), within: .seconds(60))
    }
    #expect(
      "\(error)" == "no address is known for no\\u{1b}where: Name or service not known")
  }
}
