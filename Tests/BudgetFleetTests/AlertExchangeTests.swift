import BudgetAlerts
import BudgetModel
import Foundation
import Reconciliation
import RedisStore
import Testing

@testable import BudgetFleet

/// Alerts once in a fleet: what can go wrong with claims, and a simulation of all of it together.
@Suite struct AlertExchangeTests {
  private let hash = AlertHash()
  private static let times = AlertTimes(timeout: .seconds(2))

  private final class Peer {
    let node: AlertNode
    var exchange: AlertExchange

    init(_ name: String) {
      node = AlertNode(name, times: AlertExchangeTests.times)
      exchange = AlertExchange(RedisKeys(namespace: "ns"), node: name)
    }
  }

  private func pass(_ peer: Peer, _ fault: AlertLink.Fault = .none) -> String? {
    var link = AlertLink(hash: hash, fault: fault)
    peer.node.withBook { $0.passEnded() }
    do throws(PassFailure) {
      return try peer.exchange.pass(peer.node, &link)
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

  /// Brings the alert until its window counts as the fleet's, and passes once more.
  private func settle(_ peer: Peer, _ alert: BudgetAlert) {
    for _ in 0..<2 {
      #expect(peer.node.withBook { $0.take(alert) } == .unsettled)
      #expect(pass(peer) == nil && peer.node.takeAttempt() == nil)
    }
    #expect(peer.node.withBook { $0.take(alert) } == .taken)
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
    hash.fields[AlertExchange.field(alert().id, 0)] = Array("one 12000".utf8)
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
    #expect(try exchange.pass(old, &link) == nil && hash.fields.count == 701)
    settle(one, alert())
    _ = pass(one)
    let attempt = try #require(one.node.takeAttempt())
    hash.fields = [:]
    // Whoever comes first brings what it knows; the word is then another one to all.
    _ = pass(one)
    settle(two, alert())
    #expect(pass(two) == nil)
    #expect(two.node.takeAttempt() == nil, "the attempt under way is known again")
    #expect(try exchange.pass(old, &link) == nil && hash.fields.count == 702)
    one.node.end(attempt, .delivered)
    _ = (pass(one), pass(two))
    #expect(two.node.withBook { $0.waiting } == 0)
    let before = hash.commands
    _ = pass(two)
    #expect(hash.commands == before + 1, "a look at the word is all that a quiet fleet costs")
  }

  @Test func anIdleNodeDoesNotAsk() {
    #expect(pass(Peer("one")) == nil && hash.commands == 0)
  }

  @Test func aKeyThatCannotBeUsedIsToldAndStopsOnlyAlerts() {
    let one = Peer("one")
    for _ in 0..<3 {
      _ = one.node.withBook { $0.take(alert()) }
      #expect(pass(one, .refused)?.contains("NOPERM") == true)
    }
    #expect(one.node.takeAttempt() == nil && one.node.withBook { $0.waiting } == 1)
    _ = pass(one)
    #expect(one.node.takeAttempt() != nil)
  }

  @Test func whatIsOverGoesFromTheStore() throws {
    let one = Peer("one")
    settle(one, alert("a"))
    _ = pass(one)
    let attempt = try #require(one.node.takeAttempt())
    one.node.end(attempt, .delivered)
    _ = pass(one)
    settle(one, alert("b"))
    _ = pass(one)
    let second = try #require(one.node.takeAttempt())
    one.node.end(second, .failed)
    #expect(hash.claims == 1 && hash.fields.count == 3)
    let late = Timestamp(unixMilliseconds: AlertWorld.end.unixMilliseconds + 3_600_001)
    one.node.withBook { $0.expire(at: late) }
    _ = (pass(one), pass(one))
    #expect(Array(hash.fields.keys) == [AlertExchange.wordField])
    #expect(one.node.withBook { $0.counts.droppedForTime } == 1)
  }

  /// Nodes that are killed, stand still and start again, replies that are lost, a store that is emptied:
  /// each alert comes, and comes again only where who sent it could not confirm it.
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
      // Claims that came to nothing are taken out.
      for _ in 0..<20 { world.step() }
      #expect(world.faultsFound == [], "seed \(seed)")
      #expect(world.hash.claims == 0, "seed \(seed): claims are left")
      kills += world.kills
      again += world.delivered.values.count { $0 > 1 }
    }
    #expect(kills > seeds, "nodes were killed")
    #expect(seeds < 60 || again > 0, "some at the wrong moment")
  }
}
