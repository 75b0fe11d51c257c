import BudgetModel
import Foundation
import Reconciliation
import RedisStore
import Testing

@testable import BudgetAlerts
@testable import BudgetFleet

/// Alerts once in a fleet: what can go wrong with claims, and a simulation of all of it together.
@Suite struct AlertExchangeTests {
  private let hash = VirtualHash()
  private static let times = AlertTimes(timeout: .seconds(2))

  private final class Peer {
    let node: AlertNode
    var exchange: AlertExchange

    init(_ name: String) {
      node = AlertNode(name, times: AlertExchangeTests.times)
      exchange = AlertExchange(RedisKeys(namespace: "ns"), node: name)
    }
  }

  /// The peer's next pass; `link`: the number of the link that it has.
  private func pass(
    _ peer: Peer, _ fault: AlertLink.Fault = .none, link: Int = 1, at time: Timestamp? = nil
  ) -> String? {
    var link = AlertLink(hash: hash, fault: fault, linksMade: link)
    peer.node.withBook { $0.passEnded() }
    do throws(PassFailure) {
      return try peer.exchange.pass(peer.node, &link, at: time ?? AlertWorld.start)
    } catch {
      return "thrown: \(error)"
    }
  }

  private func alert(_ name: String = "openai") -> BudgetAlert {
    let reading = AlertReading(
      key: BudgetKey(scope: .provider, name: name, windowText: "1d"),
      window: Window(start: AlertWorld.start, end: AlertWorld.end), limit: PicoUSD(dollars: 100),
      spend: PicoUSD(dollars: 85))
    return BudgetAlert(.reached(percent: 80), of: reading, in: "test", seenAt: AlertWorld.start)
  }

  /// Brings the alert until its window counts as the fleet's, and knows the store for as long as a claim
  /// holds.
  private func settle(_ peer: Peer, _ alert: BudgetAlert) {
    for _ in 0..<2 {
      #expect(peer.node.withBook { $0.take(alert) } == .unsettled)
      #expect(pass(peer) == nil && peer.node.takeAttempt() == nil)
    }
    #expect(peer.node.withBook { $0.take(alert) } == .taken)
    peer.node.advance(Self.times.lease)
  }

  @Test func oneOfTwoMakesTheAttemptAndTheOtherHearsOfIt() throws {
    let (one, two) = (Peer("one"), Peer("two"))
    let alert = alert()
    settle(one, alert)
    settle(two, alert)
    _ = (pass(one), pass(two))
    let attempt = try #require(one.node.takeAttempt())
    #expect(two.node.takeAttempt() == nil && attempt.generation == 0)
    one.node.end(attempt, .delivered)
    #expect(pass(two) == nil && two.node.withBook { $0.waiting } == 1)
    _ = (pass(one), pass(two))
    #expect(two.node.withBook { $0.waiting } == 0 && two.node.withBook { $0.counts.sent } == 0)
    #expect(two.node.withBook { $0.takeUnwritten().kept.map(\.id) } == [alert.id])
    #expect(hash.claims == 0 && hash.fields[Array(alert.id.utf8)] != nil)
  }

  @Test func aWindowThatIsNotTheFleetsIsNotTold() {
    let one = Peer("one")
    let alert = alert()
    #expect(one.node.withBook { $0.take(alert) } == .unsettled)
    // Its start was another one by the time the nodes agreed: it is never brought again.
    for _ in 0..<20 { _ = pass(one) }
    #expect(one.node.takeAttempt() == nil && hash.claims == 0)
    for _ in 0..<3_700 { _ = pass(one) }
    #expect(one.node.withBook { $0.isIdle }, "and takes no room for ever")
  }

  @Test func anotherTakesOverWhereTheClaimantIsSilentForAsLongAsItsClaimHolds() throws {
    let (one, two) = (Peer("one"), Peer("two"))
    settle(one, alert())
    settle(two, alert())
    _ = pass(one)
    #expect(one.node.takeAttempt() != nil)
    // Seen first at this pass: from here on 12 s, and the pause before a second attempt.
    _ = pass(two)
    for _ in 0..<12 {
      two.node.advance(.seconds(1))
      _ = pass(two)
      #expect(two.node.takeAttempt() == nil)
    }
    two.node.advance(.seconds(1))
    _ = pass(two)
    #expect(try #require(two.node.takeAttempt()).generation == 1)
    // The first one comes back: the claim is not its own any more.
    _ = pass(one)
    one.node.advance(.seconds(9))
    _ = pass(one)
    #expect(one.node.takeAttempt() == nil)
  }

  @Test func timeWithoutTheStoreDoesNotCount() {
    let (one, two) = (Peer("one"), Peer("two"))
    settle(one, alert())
    settle(two, alert())
    _ = (pass(one), pass(two))
    for fault in [AlertLink.Fault.before, .behind, .refused] {
      two.node.advance(.seconds(10))
      #expect(pass(two, fault) != nil)
      two.node.advance(.seconds(10))
      _ = pass(two)
      #expect(two.node.takeAttempt() == nil)
    }
    // Nor does a time in which it did not look.
    two.node.advance(.seconds(151))
    _ = pass(two)
    #expect(two.node.takeAttempt() == nil)
    two.node.advance(.seconds(13))
    _ = pass(two)
    #expect(two.node.takeAttempt() != nil)
  }

  /// The claim stands in the store though its reply was lost: nobody has begun anything under it.
  @Test func aClaimWhoseReplyIsLostIsTheNodesOwn() throws {
    let one = Peer("one")
    settle(one, alert())
    let end = AlertWorld.end.unixMilliseconds + 3_600_000
    hash.fields[AlertFields.claim(on: alert().id)] = Array("0 one 12000 \(end)".utf8)
    _ = pass(one)
    #expect(one.node.takeAttempt() == nil)
    one.node.advance(.seconds(1))
    _ = pass(one)
    #expect(try #require(one.node.takeAttempt()).generation == 1)
  }

  @Test func aReceiverOutOfOneNodesReachIsTriedByOthers() throws {
    let (one, two) = (Peer("one"), Peer("two"))
    settle(one, alert())
    settle(two, alert())
    var tries: [String] = []
    for _ in 0..<400 {
      for peer in [one, two] {
        peer.node.advance(.milliseconds(500))
        _ = pass(peer)
        guard let attempt = peer.node.takeAttempt() else { continue }
        tries.append(peer.node.name)
        let isReached = peer.node.name == "two"
        peer.node.end(attempt, isReached ? .delivered : .failed)
      }
    }
    #expect(tries == ["one", "one", "two"])
    #expect(hash.claims == 0)
  }

  @Test func aStoreThatIsEmptiedHearsAllOfItAgain() throws {
    let (one, two) = (Peer("one"), Peer("two"))
    let done = (0..<700).map { number in
      AlertBook.Kept(id: "id\(number)", family: "f", until: AlertWorld.end)
    }
    let old = AlertNode("old", times: Self.times, kept: done)
    var exchange = AlertExchange(RedisKeys(namespace: nil), node: "old")
    var link = AlertLink(hash: hash)
    #expect(try exchange.pass(old, &link, at: AlertWorld.start) == nil && hash.fields.count == 701)
    settle(one, alert())
    settle(two, alert())
    _ = pass(one)
    let attempt = try #require(one.node.takeAttempt())
    _ = pass(two)
    hash.fields = [:]
    // Each brings what it knows, the claims of others too; the word is then another one to all.
    _ = pass(two)
    #expect(hash.claims == 1)
    _ = pass(one)
    #expect(try exchange.pass(old, &link, at: AlertWorld.start) == nil && hash.fields.count == 702)
    one.node.end(attempt, .delivered)
    _ = (pass(one), pass(two))
    #expect(two.node.withBook { $0.waiting } == 0 && hash.claims == 0)
    let before = hash.count
    _ = pass(two)
    #expect(hash.count == before + 1, "a look at the word is all that a quiet fleet costs")
  }

  /// A claim that the store has lost is over before anybody claims anything there, though nobody has told
  /// it again.
  @Test(arguments: ["emptied", "another server"])
  func aStoreThatForgetsIsLeftAloneForAsLongAsAClaimHolds(_ loss: String) throws {
    let (one, two) = (Peer("one"), Peer("two"))
    settle(one, alert())
    settle(two, alert())
    let before = hash.fields
    _ = pass(one)
    #expect(one.node.takeAttempt() != nil)
    hash.fields = loss == "emptied" ? [:] : before
    let link = loss == "emptied" ? 1 : 2
    _ = pass(two, link: link)
    for _ in 0..<11 {
      two.node.advance(.seconds(1))
      _ = pass(two, link: link)
      #expect(two.node.takeAttempt() == nil)
    }
    two.node.advance(.seconds(1))
    _ = pass(two, link: link)
    #expect(try #require(two.node.takeAttempt()).generation == 0)
  }

  /// It is emptied between the look at its word and the claim.
  @Test func aClaimIsOnTheStoreThatWasLookedAt() {
    let call = AlertFields.claimCall(
      Array("key".utf8), "id",
      AlertBook.Claim(generation: 0, by: "one", lease: .seconds(12), until: AlertWorld.end),
      while: Array("word".utf8))
    #expect(hash.evaluate(AlertFields.script, [call]) == [.integer(0)] && hash.fields.isEmpty)
    hash.fields[AlertFields.word] = Array("another".utf8)
    #expect(hash.evaluate(AlertFields.script, [call]) == [.integer(0)])
    hash.fields[AlertFields.word] = Array("word".utf8)
    #expect(hash.evaluate(AlertFields.script, [call, call]) == [.integer(1), .integer(0)])
    // It was confirmed since it was read.
    hash.fields = [AlertFields.word: Array("word".utf8), Array("id".utf8): Array("done 5".utf8)]
    #expect(hash.evaluate(AlertFields.script, [call]) == [.integer(0)] && hash.claims == 0)
  }

  @Test func anIdleNodeDoesNotAsk() {
    #expect(pass(Peer("one")) == nil && hash.count == 0)
  }

  @Test func aKeyThatCannotBeUsedIsToldAndStopsOnlyAlerts() {
    let one = Peer("one")
    for _ in 0..<3 {
      _ = one.node.withBook { $0.take(alert()) }
      #expect(pass(one, .refused)?.contains("NOPERM") == true)
    }
    #expect(one.node.takeAttempt() == nil && one.node.withBook { $0.waiting } == 1)
    _ = pass(one)
    one.node.advance(Self.times.lease)
    _ = pass(one)
    #expect(one.node.takeAttempt() != nil)
  }

  @Test func whatIsOverGoesFromTheStore() throws {
    let (one, two) = (Peer("one"), Peer("two"))
    settle(one, alert("a"))
    _ = pass(one)
    let attempt = try #require(one.node.takeAttempt())
    one.node.end(attempt, .delivered)
    _ = pass(one)
    settle(one, alert("b"))
    _ = pass(one)
    let second = try #require(one.node.takeAttempt())
    one.node.end(second, .failed)
    // One of a release before, and something of a stranger.
    hash.fields[Array("\(second.id) 3".utf8)] = Array("three 12000".utf8)
    hash.fields[Array("stranger".utf8)] = Array("x".utf8)
    #expect(hash.claims == 2 && hash.fields.count == 5)
    let late = Timestamp(unixMilliseconds: AlertWorld.end.unixMilliseconds + 3_600_001)
    settle(two, alert("c"))
    // Once an hour, whoever comes first: the one who wrote them may be gone.
    one.node.withBook { $0.giveUp() }
    two.node.withBook { $0.giveUp() }
    for peer in [two, one] { peer.node.advance(AlertFields.sweepInterval) }
    #expect(pass(two, at: late) == nil)
    let left = [AlertFields.word, AlertFields.swept, Array("stranger".utf8)]
    #expect(Set(hash.fields.keys) == Set(left))
    #expect(pass(one, at: late) == nil && hash.commands["HGETALL"] == 1)
    #expect(one.node.withBook { $0.counts.droppedForTime } == 0)
  }

  @Test func whatIsNotOverStays() throws {
    let one = Peer("one")
    settle(one, alert())
    _ = pass(one)
    #expect(one.node.takeAttempt() != nil && hash.claims == 1)
    one.node.advance(AlertFields.sweepInterval)
    let before = hash.fields
    #expect(pass(one, at: Timestamp(unixMilliseconds: AlertWorld.end.unixMilliseconds)) == nil)
    #expect(hash.commands["HGETALL"] == 1)
    #expect(hash.fields.filter { $0.key != AlertFields.swept } == before)
  }

  /// Nodes that are killed, stand still and start again, replies that are lost, a store that is emptied
  /// or falls back to what a replica had: each alert comes, and comes again only where nobody who knew
  /// that it was delivered could be heard. `BUDGETD_SIMULATION_SEEDS` makes it longer.
  @Test func eachAlertIsDeliveredOnceWhateverHappens() {
    let asked = ProcessInfo.processInfo.environment["BUDGETD_SIMULATION_SEEDS"]
    let seeds = asked.flatMap(Int.init) ?? 60
    var (kills, again) = (0, 0)
    for seed in 1...UInt64(seeds) {
      let world = AlertWorld(seed: seed, nodes: 4, alerts: 5)
      for _ in 0..<150 { world.step() }
      world.faults = false
      var steps = 0
      while !world.isQuiet, steps < 4_000 {
        world.step()
        steps += 1
      }
      #expect(world.isQuiet, "seed \(seed): not at rest")
      #expect(world.faultsFound == [], "seed \(seed)")
      #expect(world.hash.claims == 0, "seed \(seed): claims are left")
      kills += world.kills
      again += world.delivered.values.count { $0 > 1 }
    }
    #expect(kills > seeds, "nodes were killed")
    #expect(seeds < 60 || again > 0, "some at the wrong moment")
  }
}
