import Testing

@testable import RedisStore

/// Which node has which slots, as CLUSTER SLOTS and redirects say.
@Suite struct SlotMapTests {
  private let asked = RedisAddress.tcp(host: "10.0.0.9", port: 7_000)

  private func row(
    _ first: Int64, _ last: Int64, _ host: RedisValue, port: Int64 = 6_379, more: [RedisValue] = []
  ) -> RedisValue {
    .array([
      .integer(first), .integer(last),
      .array([host, .integer(port), .bytes(Array("id".utf8))] + more),
    ])
  }

  private func text(_ text: String) -> RedisValue { .bytes(Array(text.utf8)) }

  private func map(_ rows: RedisValue..., byName: Bool = false) throws -> SlotMap {
    try SlotMap(.array(rows), from: asked, byName: byName)
  }

  /// From the specification of Redis Cluster and its own tests.
  @Test func slotsAreThePublishedOnes() {
    for (key, slot) in [
      ("123456789", 0x31C3), ("", 0), ("foo", 12_182), ("bar", 5_061), ("hello", 866),
      ("{user1000}.following", 3_443), ("{user1000}.followers", 3_443), ("user1000", 3_443),
      ("foo{}{bar}", 8_363), ("foo{{bar}}zap", 4_015), ("{bar", 4_015), ("foo{bar}{zap}", 5_061),
    ] {
      #expect(RedisSlot.of(Array(key.utf8)) == slot, "\(key)")
    }
  }

  @Test func eachSlotHasItsMaster() throws {
    let map = try map(row(0, 99, text("a")), row(100, 16_383, text("b")))
    #expect(map.owner(of: 0) == .tcp(host: "a", port: 6_379))
    #expect(map.owner(of: 99) == .tcp(host: "a", port: 6_379))
    #expect(map.owner(of: 100) == .tcp(host: "b", port: 6_379))
    #expect(map.nodes.count == 2)
    #expect(try self.map(row(5, 6, text("a"))).owner(of: 7) == nil)
  }

  @Test func aHostThatIsNotToldIsTheOneAsked() throws {
    for host in [RedisValue.null, text(""), text("?")] {
      let map = try map(row(0, 16_383, host, port: 7_001))
      #expect(map.owner(of: 5) == .tcp(host: "10.0.0.9", port: 7_001))
    }
  }

  @Test func nodesAreKnownByNameWhereCertificatesAre() throws {
    let names = RedisValue.array([text("ip"), text("1.2.3.4"), text("hostname"), text("r.example")])
    let rows = row(0, 16_383, text("10.0.0.1"), more: [names])
    #expect(try map(rows).nodes == [.tcp(host: "10.0.0.1", port: 6_379)])
    #expect(try map(rows, byName: true).nodes == [.tcp(host: "r.example", port: 6_379)])
    let nameless = row(0, 16_383, text("10.0.0.1"), more: [.array([text("hostname"), text("")])])
    #expect(try map(nameless, byName: true).nodes == [.tcp(host: "10.0.0.1", port: 6_379)])
  }

  @Test func redirectsAreReadByTheNamesOfTheMap() throws {
    func node(_ ip: String, _ details: [String]) -> RedisValue {
      .array([text(ip), .integer(6_379), text("id"), .array(details.map { text($0) })])
    }
    func at(_ host: String) -> RedisAddress { .tcp(host: host, port: 6_379) }
    let master = node("10.0.0.1", ["hostname", "a.example", "ip", "10.1.0.1"])
    let replica = node("10.0.0.2", ["hostname", "b.example"])
    let nameless = node("10.0.0.3", ["hostname", ""])
    let unread = RedisValue.array([.integer(1)])
    let row = RedisValue.array([.integer(0), .integer(9), master, replica, nameless, unread])
    var known = try map(row, byName: true)
    let told = ["10.0.0.1", "10.1.0.1", "10.0.0.2", "10.0.0.3", "a.example"]
    #expect(
      told.map { known.node(at: at($0)) }
        == ["a.example", "a.example", "b.example", "10.0.0.3", "a.example"].map(at))
    // Another port is another node.
    #expect(known.node(at: .tcp(host: "10.0.0.1", port: 1)) == .tcp(host: "10.0.0.1", port: 1))
    let hasMoved = known.move(3, to: at("10.0.0.2"))
    #expect(hasMoved && known.owner(of: 3) == at("b.example"))
    #expect(try map(row).node(at: at("10.0.0.1")) == at("10.0.0.1"))
  }

  @Test func anAnswerThatNamesNoSlotsIsRefused() {
    for reply in [
      RedisValue.array([]), .integer(1), .array([.array([])]),
      .array([row(5, 4, text("a"))]), .array([row(0, 16_384, text("a"))]),
      .array([row(-1, 4, text("a"))]), .array([row(0, -1, text("a"))]),
      .array([row(-2, -1, text("a"))]), .array([row(.min, .min, text("a"))]),
      .array([row(0, .max, text("a"))]), .array([row(0, 4, text("a"), port: 0)]),
      .array([row(0, 4, text("a"), port: 65_536)]), .array([row(0, 4, text("a b"))]),
      .array([.array([.integer(0), .integer(1), .array([])])]),
      .error(RedisRefusal(kind: .other, text: "ERR This instance has cluster support disabled")),
    ] {
      #expect(throws: RedisError.self) { try SlotMap(reply, from: asked, byName: false) }
    }
    let many = (0..<65).map { row(Int64($0), Int64($0), text("h\($0)")) }
    #expect(throws: RedisError.replyTooLarge("a cluster of more than 64 masters")) {
      try SlotMap(.array(many), from: asked, byName: false)
    }
  }

  @Test func redirectsNameANode() throws {
    func redirect(_ text: String) -> RedisRedirect? {
      RedisRedirect(RedisRefusal(reply: Array(text.utf8)), from: asked)
    }
    let moved = redirect("MOVED 3999 127.0.0.1:6381")
    #expect(moved?.slot == 3_999 && moved?.node == .tcp(host: "127.0.0.1", port: 6_381))
    #expect(redirect("ASK 1 ::1:6381")?.node == .tcp(host: "::1", port: 6_381))
    #expect(redirect("MOVED 1 :6381")?.node == .tcp(host: "10.0.0.9", port: 6_381))
    for text in ["MOVED", "MOVED 1", "MOVED x h:1", "MOVED 16384 h:1", "MOVED 1 h", "MOVED 1 h:0"] {
      #expect(redirect(text) == nil, "\(text)")
    }
  }

  @Test func aSlotMovesAndTooManyNodesDoNot() throws {
    var map = try map(row(0, 16_383, text("a")))
    let hasMoved = map.move(7, to: .tcp(host: "b", port: 1))
    #expect(
      hasMoved && map.owner(of: 7) == .tcp(host: "b", port: 1) && map.owner(of: 8) == map.nodes[0])
    let all = (0..<62).map { map.move(9, to: .tcp(host: "n\($0)", port: 1)) }
    let isOneTooMany = map.move(9, to: .tcp(host: "one too many", port: 1))
    #expect(!all.contains(false) && !isOneTooMany && map.nodes.count == 64)
  }
}
