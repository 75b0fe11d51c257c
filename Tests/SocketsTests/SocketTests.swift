import Glibc
import Testing

@testable import Sockets

@Suite struct SocketAddressTests {
  @Test(arguments: ["127.0.0.1:7077", "[::1]:0", "localhost:7077", "router-3.example_x:65535"])
  func readsAndWrites(_ text: String) throws {
    #expect(try SocketAddress(text).description == text)
  }

  @Test(arguments: [
    "", ":", ":7077", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "h:-1", "h:+1",
    "::1:7077", "[::1]", "[::1:7077", "[127.0.0.1]:1", "a b:1", "h:1 ", "[]:1", "h:000001",
  ])
  func refusesAndNamesTheText(_ text: String) {
    let error = #expect(throws: SocketError.self) { try SocketAddress(text) }
    #expect(error?.description.contains("'\(text)'") == true)
    #expect(error?.description.contains("HOST:PORT") == true)
  }

  @Test func knowsLoopback() throws {
    for text in ["127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "[::ffff:127.3.0.1]:1", "localhost:1"] {
      #expect(try SocketAddress(text).isLoopback, "\(text)")
    }
    let others = [
      "0.0.0.0:1", "128.0.0.1:1", "[::]:1", "[::2]:1", "[::ffff:10.0.0.1]:1", "[1::1]:1",
      "example.com:1", "127.example.com:1",
    ]
    for text in others { #expect(try !SocketAddress(text).isLoopback, "\(text)") }
  }
}

@Suite struct EndpointTests {
  @Test(arguments: ["127.0.0.1:7077", "unix:/run/budgetd/rpc.sock", "unix:rpc.sock", "[::1]:0"])
  func readsAndWrites(_ text: String) throws {
    #expect(try Endpoint(text).description == text)
  }

  @Test(arguments: ["unix:", "unix:/" + String(repeating: "x", count: 107), "unix:/a\0b"])
  func refusesAPathThatCannotBe(_ text: String) {
    let error = #expect(throws: SocketError.self) { try Endpoint(text) }
    #expect(error?.description.contains("unix:PATH") == true)
  }

  @Test func theLongestPathIsTakenWhole() throws {
    let path = "/" + String(repeating: "x", count: Endpoint.longestPath - 1)
    #expect(try Endpoint("unix:\(path)") == .unix(path: path))
  }

  @Test func aUnixSocketIsLocal() throws {
    #expect(try Endpoint("unix:/x").isLocal)
    #expect(try Endpoint("unix:/x").address == nil)
    #expect(try Endpoint("127.0.0.1:1").isLocal)
    #expect(try !Endpoint("10.0.0.1:1").isLocal)
  }

  @Test func aPathIsResolvedWithoutALookup() throws {
    let addresses = try ResolvedAddress.all(of: .unix(path: "/x"))
    #expect(addresses.map(\.family) == [AF_UNIX])
    #expect(addresses.first?.socketAddress == nil)
  }
}

@Suite struct DescriptorTests {
  @Test func aConnectionSaysWhoIsAtItsOtherEnd() throws {
    let listening = try ListeningSocket(SocketAddress("127.0.0.1:0"))
    let endpoint = listening.localEndpoint
    let address = try #require(endpoint.address)
    let listener = listening.release()
    let resolved = try #require(try ResolvedAddress.all(of: address).first)
    let client = try Descriptor.streamSocket(family: resolved.family)
    #expect([0, EINPROGRESS].contains(client.connect(to: resolved)))
    var set = PollSet()
    set.append(listener, events: PollSet.readable)
    set.wait(milliseconds: 10_000)
    guard case .connection(let server) = listener.accept() else {
      Issue.record("nobody came")
      return
    }
    let own = ResolvedAddress(localOf: client)?.socketAddress
    #expect(own != nil)
    #expect(ResolvedAddress(peerOf: server)?.socketAddress == own)
    #expect(server.peerCredentials() == nil, "only a Unix socket has them")
    guard case .nothing = listener.accept() else {
      Issue.record("a second one came")
      return
    }
  }

  @Test func aWakeupShowsOnceUntilSilenced() throws {
    let wakeup = try Wakeup()
    func isRung() -> Bool {
      var set = PollSet()
      set.append(wakeup.descriptor, events: PollSet.readable)
      set.wait(milliseconds: 0)
      return set.events(at: 0) != 0
    }
    #expect(!isRung())
    wakeup.ring()
    wakeup.ring()
    #expect(isRung())
    wakeup.silence()
    #expect(!isRung())
  }

  @Test func anIPv4PeerIsItselfOnAnIPv6Socket() {
    #expect(ResolvedAddress.plain("::ffff:10.1.2.3") == "10.1.2.3")
    for text in ["10.1.2.3", "::1", "::ffff:0:1", "fe80::1%eth0"] {
      #expect(ResolvedAddress.plain(text) == text)
    }
  }

  private func path() -> String { "/tmp/budgetd-test-\(UInt64.random(in: 0 ... .max)).sock" }

  private func listen(_ path: String) throws(SocketError) -> ListeningSocket {
    try ListeningSocket(.unix(path: path), backlog: 8, mode: 0o600)
  }

  @Test func aUnixSocketIsTakenWhileSomebodyListens() throws {
    let path = path()
    let first = try listen(path)
    let (found, endpoint) = (first.file, first.localEndpoint)
    let file = try #require(found)
    #expect(endpoint == .unix(path: path))
    #expect(throws: SocketError.system(call: "bind", errno: 98, address: "unix:\(path)")) {
      _ = try listen(path)
    }
    _ = consume first
    // Its file is still there, and nobody answers.
    let second = try listen(path)
    let foundNext = second.file
    let other = try #require(foundNext)
    #expect(other != file)
    file.remove()
    #expect(UnixSocketFile(path: path) == other, "another's file was removed")
    other.remove()
    #expect(UnixSocketFile(path: path) == nil)
    other.remove()
  }

  @Test func anotherFileIsNotASocketsPlace() throws {
    #expect(throws: SocketError.self) { _ = try listen("/etc/hostname") }
    #expect(throws: SocketError.self) { _ = try listen("/nowhere/rpc.sock") }
    #expect(UnixSocketFile(path: "/etc/hostname") == nil)
  }
}

@Suite struct InheritedSocketTests {
  @Test func anotherProcessOnesAreNotTaken() throws {
    let named = ["LISTEN_FDS": "1", "LISTEN_FDNAMES": "rpc"]
    #expect(try InheritedSocket.all(named).isEmpty)
    #expect(try InheritedSocket.all(named.merging(["LISTEN_PID": "1"]) { $1 }).isEmpty)
    #expect(try InheritedSocket.all(["LISTEN_PID": "7"], processID: 7).isEmpty)
  }

  @Test(arguments: ["-1", "33", "", "one", "99999999999"])
  func aNumberOfThemThatCannotBe(_ text: String) {
    let error = #expect(throws: SocketError.self) {
      try InheritedSocket.all(["LISTEN_PID": "7", "LISTEN_FDS": text], processID: 7)
    }
    #expect(error?.description.contains("'\(text)'") == true)
  }
}
