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
