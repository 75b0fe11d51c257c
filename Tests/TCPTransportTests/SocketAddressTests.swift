import Testing

@testable import TCPTransport

@Suite struct PeerTests {
  @Test func anIPv4PeerIsItselfOnAnIPv6Socket() {
    #expect(Peer.plain("::ffff:10.1.2.3") == "10.1.2.3")
    for text in ["10.1.2.3", "::1", "::ffff:0:1", "fe80::1%eth0"] {
      #expect(Peer.plain(text) == text)
    }
  }
}

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
    let error = #expect(throws: TransportError.self) { try SocketAddress(text) }
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
