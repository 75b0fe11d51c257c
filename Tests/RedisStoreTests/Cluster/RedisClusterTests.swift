import Testing

@testable import RedisStore

/// Commands find their nodes, whatever happens to slots and nodes, in virtual time.
@Suite struct RedisClusterTests {
  private let virtual = VirtualCluster(3)
  private typealias Cluster = RedisCluster<VirtualTransport>

  private func cluster(seeds: [RedisAddress]? = nil) throws -> Cluster {
    var cluster = Cluster(
      seeds: seeds ?? [virtual.addresses[0]], clockKey: Array("budgetd:nodes".utf8),
      VirtualTransport(cluster: virtual))
    try cluster.connect()
    return cluster
  }

  private func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  private func call(_ key: String) -> RedisScriptCall {
    RedisScriptCall(keys: [Array(key.utf8), Array("{\(key)}:bd".utf8)], arguments: [])
  }

  private func isAway(_ value: RedisValue) -> Bool { value.refusal?.kind == .nodeAway }

  @Test func eachCommandGoesToTheNodeThatHasItsKey() throws {
    var cluster = try cluster()
    let keys = (0..<3).map { virtual.key(at: $0) }
    let found = try cluster.perform(
      keys.map { words("SET", $0, "v\($0)") }, reading: keys.map { Array($0.utf8) })
    #expect(found.values == keys.map { .bytes(Array("v\($0)".utf8)) })
    for place in 0..<3 { #expect(virtual.nodes[place].received.contains("SET \(keys[place])")) }
    #expect(cluster.redirects == ClusterRedirects() && virtual.pauses.isEmpty)
  }

  @Test func aSlotThatHasMovedIsFollowedAndLearned() throws {
    var cluster = try cluster()
    let key = virtual.key(at: 0)
    virtual.owners[RedisSlot.of(Array(key.utf8))] = 1
    #expect(try cluster.perform([words("SET", key, "x")]).replies == [.bytes(Array("x".utf8))])
    #expect(cluster.redirects.moved == 1 && virtual.pauses.isEmpty)
    _ = try cluster.perform([words("GET", key)])
    #expect(cluster.redirects.moved == 1)
    #expect(virtual.nodes[1].texts[Array(key.utf8)] != nil)
  }

  @Test func askIsForOneCommandAndRightBeforeIt() throws {
    var cluster = try cluster()
    let key = virtual.key(at: 0)
    let slot = RedisSlot.of(Array(key.utf8))
    virtual.importing[slot] = 2
    virtual.nodes[2].texts[Array(key.utf8)] = Array("there".utf8)
    let found = try cluster.perform([words("GET", key), words("PTTL", key), words("GET", key)])
    #expect(found.replies == Array(repeating: .bytes(Array("there".utf8)), count: 3))
    #expect(
      virtual.nodes[2].received.suffix(6)
        == ["ASKING", "GET \(key)", "ASKING", "PTTL \(key)", "ASKING", "GET \(key)"])
    // The slot is not closed: the next command begins at its owner.
    _ = try cluster.perform([words("GET", key)])
    #expect(cluster.redirects.ask == 2)
  }

  /// In a slot under way each key is where it is: the ones that have gone do not take the others along.
  @Test func keysOfASlotUnderWayGoTheirOwnWays() throws {
    var cluster = try cluster()
    let key = virtual.key(at: 0)
    let (gone, here) = ("{\(key)}gone", "{\(key)}here")
    virtual.importing[RedisSlot.of(Array(key.utf8))] = 1
    virtual.nodes[1].texts[Array(gone.utf8)] = Array("1".utf8)
    virtual.nodes[0].texts[Array(here.utf8)] = Array("2".utf8)
    let found = try cluster.perform([], reading: [gone, here].map { Array($0.utf8) })
    #expect(found.values == [.bytes(Array("1".utf8)), .bytes(Array("2".utf8))])
  }

  @Test func aCallWhoseKeysAreApartWaitsAndTheOthersDoNot() throws {
    var cluster = try cluster()
    let key = virtual.key(at: 0)
    let slot = RedisSlot.of(Array(key.utf8))
    virtual.importing[slot] = 1
    virtual.nodes[0].texts[Array(key.utf8)] = Array("1".utf8)
    let other = virtual.key(at: 2)
    let replies = try cluster.evaluate(VirtualCluster.script, [call(key), call(other)])
    #expect(isAway(replies[0]) && replies[0].refusal?.text.contains("TRYAGAIN") == true)
    #expect(replies[1] == .array([.bytes(Array(other.utf8))]))
    #expect(virtual.pauses == [.milliseconds(20), .milliseconds(40), .milliseconds(60)])
    #expect(cluster.redirects.tryAgain == 4)
    // Closed, it goes through.
    virtual.importing = [:]
    virtual.owners[slot] = 1
    cluster.beginPass()
    #expect(try cluster.evaluate(VirtualCluster.script, [call(key)])[0].array != nil)
  }

  /// A budget cannot begin in a slot under way: neither key exists, so the owner sends the call on,
  /// and the target has it try again.
  @Test func aNewBudgetInASlotUnderWayWaits() throws {
    var cluster = try cluster()
    let key = virtual.key(at: 0)
    virtual.importing[RedisSlot.of(Array(key.utf8))] = 1
    let reply = try cluster.evaluate(VirtualCluster.script, [call(key)])[0]
    // Each attempt begins at the owner again, which may have the key by then.
    #expect(isAway(reply) && cluster.redirects.ask == 2 && cluster.redirects.tryAgain == 2)
    #expect(virtual.nodes.allSatisfy { $0.texts.isEmpty })
  }

  @Test func scriptsAreBroughtToNodesThatLackThem() throws {
    var cluster = try cluster()
    let calls = (0..<3).flatMap { place in
      (0..<4).map { call(virtual.key(at: place, "x\($0)")) }
    }
    let replies = try cluster.evaluate(VirtualCluster.script, calls)
    #expect(replies == calls.map { .array([.bytes($0.keys[0])]) })
    #expect(virtual.pauses.isEmpty)
    let texts = virtual.nodes.map { $0.received.count { $0.hasPrefix("EVAL ") } }
    #expect(texts.sorted() == [0, 1, 1], "one node loaded it, the others have the text once")
    virtual.nodes[1].scripts = []
    #expect(try cluster.evaluate(VirtualCluster.script, calls).allSatisfy { $0.array != nil })
    #expect(cluster.redirects.noScript == 12)
  }

  @Test func aNodeThatIsAwayCostsItsKeysAlone() throws {
    var cluster = try cluster()
    virtual.nodes[1].isUp = false
    let keys = (0..<3).map { Array(virtual.key(at: $0).utf8) }
    let found = try cluster.perform([], reading: keys)
    #expect(found.values.map(isAway) == [false, true, false])
    #expect(found.values[1].refusal?.text.contains("10.0.0.1:6379") == true)
    #expect(cluster.nodes == (3, 1))
    // Until the pass is over nobody waits for it again.
    let before = virtual.nodes[1].received.count
    let pauses = virtual.pauses.count
    virtual.nodes[1].isUp = true
    #expect(isAway(try cluster.perform([], reading: keys).values[1]))
    #expect(virtual.nodes[1].received.count == before && virtual.pauses.count <= pauses + 3)
    cluster.beginPass()
    #expect(try cluster.perform([], reading: keys).values.map(isAway) == [false, false, false])
    #expect(cluster.nodes == (3, 0))
  }

  /// Whoever waits for it holds up the others: one pass in a while, not each.
  @Test(arguments: VirtualCluster.Step.allCases)
  func aNodeThatHangsIsLeftAloneForAWhile(step: VirtualCluster.Step) throws {
    var cluster = try cluster()
    virtual.nodes[1].hangs = step
    let keys = (0..<3).map { Array(virtual.key(at: $0).utf8) }
    for _ in 0..<3 {
      cluster.beginPass()
      #expect(try cluster.perform([], reading: keys).values.map(isAway) == [false, true, false])
      virtual.time += .milliseconds(100)
    }
    #expect(virtual.nodes[1].timesHung == 1)
    virtual.time += .seconds(2)
    cluster.beginPass()
    #expect(isAway(try cluster.perform([], reading: keys).values[1]))
    #expect(virtual.nodes[1].timesHung == 2)
    // Its slots go to another meanwhile: nobody waits any more.
    virtual.owners = virtual.owners.map { $0 == 1 ? 2 : $0 }
    virtual.time += .milliseconds(200)
    cluster.beginPass()
    #expect(try cluster.perform([], reading: keys).values.map(isAway) == [false, false, false])
  }

  @Test func aLinkThatBrokeIsMadeAnewOnce() throws {
    var cluster = try cluster()
    virtual.nodes[1].brokenCalls = 1
    let key = Array(virtual.key(at: 1).utf8)
    #expect(try cluster.perform([], reading: [key]).values == [.null])
    virtual.nodes[1].brokenCalls = 100
    cluster.beginPass()
    #expect(isAway(try cluster.perform([], reading: [key]).values[0]))
    #expect(virtual.nodes[1].brokenCalls == 98)
  }

  @Test func aFailoverIsFoundInTheMap() throws {
    var cluster = try cluster()
    let key = Array(virtual.key(at: 1).utf8)
    virtual.nodes[1].isUp = false
    virtual.owners = virtual.owners.map { $0 == 1 ? 2 : $0 }
    // The map may be asked for again.
    virtual.time += .milliseconds(200)
    #expect(try cluster.perform([], reading: [key]).values == [.null])
    #expect(virtual.kept == [virtual.addresses[0], virtual.addresses[2]])
  }

  @Test func theMapIsAskedForSeldom() throws {
    var cluster = try cluster()
    virtual.nodes[1].isUp = false
    let key = Array(virtual.key(at: 1).utf8)
    for _ in 0..<4 {
      cluster.beginPass()
      _ = try cluster.perform([], reading: [key])
    }
    let asked = virtual.nodes.map { $0.received.count { $0 == "CLUSTER SLOTS" } }.reduce(0, +)
    let most = Int(virtual.time / .milliseconds(200)) + 1
    #expect(asked <= most, "\(asked) of at most \(most)")
  }

  @Test func aClusterThatIsDownWaitsWhole() throws {
    var cluster = try cluster()
    virtual.needsAllSlots = true
    virtual.nodes[2].isUp = false
    let keys = (0..<3).map { Array(virtual.key(at: $0).utf8) }
    let found = try cluster.perform([], reading: keys)
    #expect(found.values.allSatisfy(isAway) && cluster.redirects.clusterDown > 0)
    // The time is still told.
    #expect(try cluster.perform([words("TIME")]).replies[0].array?.count == 2)
  }

  @Test func aNodeThatRefusesAllIsAway() throws {
    var cluster = try cluster()
    virtual.nodes[0].refuses = "NOPERM this user has no permissions"
    let keys = (0..<3).map { Array(virtual.key(at: $0).utf8) }
    let found = try cluster.perform([], reading: keys)
    #expect(found.values.map(isAway) == [true, false, false])
    #expect(found.values[0].refusal?.text.contains("NOPERM") == true && virtual.pauses.isEmpty)
  }

  @Test func onlyWithoutAnyNodeTheStoreIsAway() throws {
    var cluster = try cluster()
    for node in virtual.nodes { node.isUp = false }
    #expect(throws: RedisError.self) { try cluster.perform([words("TIME")]) }
    #expect(throws: RedisError.self) {
      try cluster.perform([], reading: (0..<3).map { Array(virtual.key(at: $0).utf8) })
    }
    // The seed is gone for good; a node that was known answers.
    virtual.nodes[2].isUp = true
    cluster.disconnect()
    #expect(!cluster.isConnected)
    try cluster.connect()
    #expect(cluster.isConnected)
  }

  @Test func seedsAreTriedUntilOneTells() throws {
    virtual.nodes[0].isUp = false
    let cluster = try cluster(seeds: virtual.addresses)
    #expect(cluster.isConnected)
    virtual.told = .error(
      RedisRefusal(kind: .other, text: "ERR This instance has cluster support disabled"))
    let error = #expect(throws: RedisError.self) {
      _ = try self.cluster(seeds: [virtual.addresses[1]])
    }
    #expect("\(error as Any)".contains("CLUSTER SLOTS was refused"))
  }

  @Test func theTimeIsThatOfTheNodesKeysOwner() throws {
    var cluster = try cluster()
    let owner = try #require(virtual.owner(of: "budgetd:nodes"))
    virtual.nodes[owner].ahead = 700
    virtual.nodes[(owner + 1) % 3].ahead = -100
    let reply = try cluster.perform([words("TIME")]).replies[0]
    let seconds = reply.array?[0].bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    #expect(seconds == 1_795_000_000)
    #expect(reply.array?[1].bytes == Array("702000".utf8), "two calls of a millisecond each")
    #expect(cluster.clockDifference == .milliseconds(800))
    #expect(cluster.clockRoundTrip == .milliseconds(1))
    // Is it away, another one tells the time.
    virtual.nodes[owner].isUp = false
    cluster.beginPass()
    #expect(try cluster.perform([words("TIME")]).replies[0].array?.count == 2)
  }

  @Test func aPassEndsTryingInTime() throws {
    var cluster = try cluster()
    virtual.callDuration = .milliseconds(900)
    virtual.importing[RedisSlot.of(Array(virtual.key(at: 0).utf8))] = 1
    virtual.nodes[0].texts[Array(virtual.key(at: 0).utf8)] = Array("1".utf8)
    cluster.beginPass()
    let begun = virtual.time
    _ = try cluster.evaluate(VirtualCluster.script, [call(virtual.key(at: 0))])
    #expect(virtual.time - begun < .seconds(4))
  }

  /// Passes may be far apart: a call between two of them tries again as a pass does.
  @Test func aCallBetweenPassesHasTimeOfItsOwn() throws {
    var cluster = try cluster()
    let key = virtual.key(at: 0)
    virtual.time += .seconds(3)
    virtual.owners[RedisSlot.of(Array(key.utf8))] = 1
    cluster.beginCall()
    #expect(try cluster.evaluate(VirtualCluster.script, [call(key)])[0].array != nil)
    // One that failed is left alone for a while, whatever calls there are; then it is tried again.
    let away = virtual.key(at: 2)
    virtual.nodes[2].brokenCalls = 2
    for _ in 0..<2 {
      cluster.beginCall()
      #expect(isAway(try cluster.evaluate(VirtualCluster.script, [call(away)])[0]))
    }
    virtual.time += .seconds(2)
    cluster.beginCall()
    #expect(try cluster.evaluate(VirtualCluster.script, [call(away)])[0].array != nil)
  }

  /// A certificate bears the name, and redirects tell the address.
  @Test func redirectsByAddressLeadToNodesKnownByName() throws {
    let named = VirtualCluster(3, isNamed: true)
    var cluster = Cluster(
      seeds: [named.addresses[0]], clockKey: Array("budgetd:nodes".utf8), byName: true,
      VirtualTransport(cluster: named))
    try cluster.connect()
    let key = named.key(at: 0)
    let slot = RedisSlot.of(Array(key.utf8))
    named.importing[slot] = 2
    named.nodes[2].texts[Array(key.utf8)] = Array("there".utf8)
    #expect(try cluster.perform([words("GET", key)]).replies == [.bytes(Array("there".utf8))])
    #expect(cluster.redirects.ask == 1 && named.pauses.isEmpty)
    (named.importing, named.owners[slot]) = ([:], 2)
    #expect(try cluster.perform([words("GET", key)]).replies == [.bytes(Array("there".utf8))])
    #expect(cluster.redirects.moved == 1 && named.pauses.isEmpty && cluster.nodes == (3, 0))
  }

  @Test func manyCommandsGoInPortions() throws {
    var cluster = try cluster()
    let keys = (0..<20_000).map { Array("k\($0)".utf8) }
    #expect(try cluster.perform([], reading: keys).values.count == 20_000)
    #expect(virtual.nodes.allSatisfy { $0.received.count > 6_000 })
  }
}
