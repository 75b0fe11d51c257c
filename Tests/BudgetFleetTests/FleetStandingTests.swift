import Testing

@testable import BudgetFleet

@Suite struct FleetStandingTests {
  private var standing = FleetStanding(staleness: .seconds(3))

  @Test mutating func thePolicyIsInForceUntilTheFirstPass() {
    #expect(standing.isPolicyInForce)
    #expect(standing.tick(at: .seconds(1)) == [])
    #expect(standing.passSucceeded(at: .seconds(1), nodes: 3) == [.endPolicy])
    #expect(standing.phase == .inTouch)
    #expect(standing.nodes == 3)
    #expect(!standing.isPolicyInForce)
    #expect(standing.passSucceeded(at: .seconds(2), nodes: 4) == [])
    #expect(standing.nodes == 4)
  }

  @Test mutating func aStartWithoutTheStoreIsToldOnce() {
    #expect(standing.passFailed("refused", at: .milliseconds(5)) == [.announce])
    #expect(standing.failure == "refused")
    #expect(standing.passFailed("refused", at: .seconds(1)) == [])
    #expect(standing.tick(at: .seconds(9)) == [])
    #expect(standing.phase == .beforeFirstPass)
    #expect(
      standing.passSucceeded(at: .seconds(10), nodes: 1)
        == [.endPolicy, .announceEnd(after: .seconds(10))])
    #expect(standing.failure == nil)
  }

  /// A ceiling that the fleet granted holds for longer than the node counts as in touch.
  @Test mutating func grantsOutliveThePassesThatBroughtThem() {
    _ = standing.passSucceeded(at: .seconds(1), nodes: 2)
    #expect(standing.tick(at: .milliseconds(4_001)) == [.beginPolicy, .announce])
    #expect(standing.tick(at: .seconds(10)) == [])
    #expect(standing.tick(at: .milliseconds(10_001)) == [.beginOwnCeilings])
    #expect(standing.tick(at: .seconds(60)) == [])
    _ = standing.passSucceeded(at: .seconds(61), nodes: 2)
    _ = standing.tick(at: .seconds(65))
    #expect(standing.tick(at: .seconds(71)) == [.beginOwnCeilings])
    // With none ever heard of there are none to hold.
    var alone = FleetStanding(staleness: .seconds(3))
    _ = alone.tick(at: .seconds(4))
    #expect(alone.tick(at: .milliseconds(9_001)) == [.beginOwnCeilings])
  }

  @Test mutating func aStartThatHangsIsToldToo() {
    #expect(standing.tick(at: .seconds(3)) == [])
    #expect(standing.tick(at: .milliseconds(3_001)) == [.announce])
    #expect(standing.tick(at: .seconds(4)) == [])
  }

  /// A cluster has five seconds to find another master for a part of its keys.
  @Test mutating func aPartThatIsAwayIsWaitedForLonger() {
    _ = standing.passSucceeded(at: .seconds(1), nodes: 2)
    #expect(standing.passFailed("a part", at: .seconds(5), isPartial: true) == [])
    #expect(standing.tick(at: .seconds(6)) == [] && standing.failure == "a part")
    #expect(standing.tick(at: .milliseconds(6_001)) == [.beginPolicy, .announce])
    _ = standing.passSucceeded(at: .seconds(8), nodes: 2)
    _ = standing.passFailed("a part", at: .seconds(10), isPartial: true)
    // All of it is away: that is another matter.
    #expect(standing.passFailed("gone", at: .milliseconds(11_001)) == [.beginPolicy, .announce])
  }

  @Test mutating func withoutAPassForTooLongThePolicyBegins() {
    _ = standing.passSucceeded(at: .seconds(1), nodes: 2)
    #expect(standing.passFailed("timeout", at: .seconds(2)) == [])
    #expect(standing.tick(at: .seconds(4)) == [])
    #expect(standing.tick(at: .milliseconds(4_001)) == [.beginPolicy, .announce])
    #expect(standing.phase == .partitioned)
    #expect(standing.since == .seconds(1))
    #expect(standing.passFailed("timeout", at: .seconds(5)) == [])
    #expect(standing.nodes == 2)
    #expect(
      standing.passSucceeded(at: .seconds(6), nodes: 2)
        == [.endPolicy, .announceEnd(after: .seconds(5))])
    // The next outage is told again.
    #expect(standing.passFailed("gone", at: .seconds(9)) == [])
    #expect(standing.passFailed("gone", at: .seconds(10)) == [.beginPolicy, .announce])
  }

  @Test mutating func aPassThatHangsDoesNotHideTheOutage() {
    _ = standing.passSucceeded(at: .seconds(1), nodes: 2)
    #expect(standing.tick(at: .seconds(5)) == [.beginPolicy, .announce])
    #expect(standing.failure == nil)
  }

  @Test func theStoreCountsAsAwayAfterThreeIntervals() {
    var options = FleetOptions()
    #expect(options.stalenessInForce == .seconds(3))
    options.interval = .milliseconds(50)
    #expect(options.stalenessInForce == .seconds(3))
    options.interval = .seconds(20)
    #expect(options.stalenessInForce == .seconds(60))
    options.staleness = .seconds(1)
    #expect(options.stalenessInForce == .seconds(1))
  }
}
