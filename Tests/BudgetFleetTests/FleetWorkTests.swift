import BudgetModel
import Locks
import Logging
import NodeFixture
import Reconciliation
import RedisStore
import Synchronization
import Testing

@testable import BudgetFleet

/// The loop that talks to the store, in virtual time: it is told how long it may wait.
@Suite struct FleetWorkTests {
  private let fixture: MemberFixture
  private let link: ScriptedLink

  init() throws {
    fixture = try MemberFixture([])
    link = ScriptedLink(fixture)
  }

  private final class Run {
    var delays: [Duration] = []
    var firstPasses = 0
  }

  /// Waits `waits` times until the time is over, then for the end. Each wait is noted, and lasts.
  private func run(waits: Int, for member: FleetMember? = nil) -> Run {
    var settings = ReconcilerSettings()
    settings.interval = fixture.options.interval
    var work = FleetWork(
      link, Reconciler(settings: settings, keys: RedisKeys(namespace: nil)),
      member: member ?? fixture.member, log: fixture.log)
    let run = Run()
    work.run(
      waiting: { delay in
        run.delays.append(delay)
        fixture.advance(delay)
        return run.delays.count > waits ? .ending : .timePassed
      }, onFirstPass: { run.firstPasses += 1 })
    return run
  }

  private var status: FleetStatus { fixture.member.status }

  @Test func itConnectsOnceAndPassesAtTheInterval() {
    let run = run(waits: 3)
    #expect(run.delays == [.zero, .seconds(1), .seconds(1), .seconds(1)])
    #expect(run.firstPasses == 1 && link.connects == 1)
    #expect(status.passesSucceeded == 4 && status.passesFailed == 0 && status.nodes == 2)
    #expect(status.isUp && status.passesSkipped == 0)
  }

  /// The time of a pass is part of the way to the next one.
  @Test func aPassThatTakesTimeComesOffTheWait() {
    link.callDuration = .milliseconds(150)
    #expect(run(waits: 2).delays == [.zero, .milliseconds(700), .milliseconds(700)])
    #expect(status.passesSkipped == 0 && status.passDurations.sum == 900_000_000)
  }

  @Test func passesThatWereDueDuringOneAreCountedAsLeftOut() {
    link.callDuration = .milliseconds(1_750)
    #expect(run(waits: 1).delays == [.zero, .zero])
    // Two passes of 3.5 s, with three due in each.
    #expect(status.passesSucceeded == 2 && status.passesSkipped == 6)
  }

  @Test func attemptsWithoutAConnectionComeMoreAndMoreSlowly() {
    link.connecting = Array(repeating: .closed, count: 40)
    let run = run(waits: 39)
    #expect(link.connects == 40 && link.calls == 0 && run.firstPasses == 0)
    #expect(status.passesFailed == 40 && !status.isUp)
    for (failures, delay) in run.delays.dropFirst().enumerated() {
      let bound = min(Duration.seconds(1), .milliseconds(50) * (1 << min(failures, 10)))
      #expect((.zero...bound).contains(delay), "after \(failures + 1) failures")
    }
    // With full jitter forty in a row do not all lie in the first half of their bound.
    #expect(run.delays.contains { $0 > .milliseconds(500) })
  }

  @Test func aLongIntervalIsTheLongestWaitAfterFailures() throws {
    let fixture = try MemberFixture([]) { $0.interval = .seconds(10) }
    let link = ScriptedLink(fixture)
    link.connecting = Array(repeating: .closed, count: 60)
    var settings = ReconcilerSettings()
    settings.interval = .seconds(10)
    var work = FleetWork(
      link, Reconciler(settings: settings, keys: RedisKeys(namespace: nil)),
      member: fixture.member, log: fixture.log)
    var delays: [Duration] = []
    work.run(
      waiting: { delay in
        delays.append(delay)
        return delays.count > 59 ? .ending : .timePassed
      },
      onFirstPass: {})
    #expect(delays.allSatisfy { $0 <= .seconds(10) } && delays.contains { $0 > .seconds(1) })
  }

  @Test func afterAnErrorTheNextPassHasAFreshLink() {
    link.calling = [nil, nil, .timedOut(.seconds(3))]
    let run = run(waits: 2)
    #expect(link.connects == 2 && run.firstPasses == 1)
    #expect(status.passesSucceeded == 2 && status.passesFailed == 1)
    // The failure is over: the rhythm is the usual one again, and the log has told both.
    #expect(fixture.lines.count("warning no pass with Redis") == 1)
  }

  @Test func theFirstPassIsToldOnceHoweverLateItComes() {
    link.connecting = [.closed, .closed]
    let run = run(waits: 5)
    #expect(run.firstPasses == 1 && status.passesSucceeded == 4)
    #expect(run.delays.suffix(3).allSatisfy { $0 == .seconds(1) })
  }

  @Test func aStoreThatRefusesIsLeft() {
    link.nodes = .error(
      RedisRefusal(kind: .loading, text: "LOADING Redis is loading the dataset in memory"))
    _ = run(waits: 1)
    #expect(link.connects == 2 && !link.isConnected && status.passesFailed == 2)
    #expect(status.failure?.contains("LOADING") == true)
  }

  /// A store whose clock is not believed answers well: its link stays.
  @Test func aClockThatIsNotBelievedKeepsTheLink() throws {
    let time = fixture.time
    let clock = FleetClock(
      startingAt: time.now(), boottime: { time.now().unixMilliseconds },
      wallClock: { time.now() })
    let member = FleetMember(
      FleetSurroundings(
        engine: fixture.engine, ledger: fixture.ledger, time: clock, log: fixture.log),
      options: FleetOptions())
    #expect(run(waits: 0, for: member).firstPasses == 1)
    link.ahead = .seconds(7_200)
    _ = run(waits: 2, for: member)
    #expect(link.connects == 1 && link.isConnected)
    #expect(member.status.passesFailed == 3 && member.status.isClockDoubted)
    #expect(fixture.lines.count("no pass with Redis") == 0, "the member has told it")
  }

  private final class Desk: WaitingDesk {
    let ends = Locked<[WaitingEnd]>([])
    func tryAgain(_ call: WaitingCall) -> WaitingRoom.Outcome { .decided }
    func giveUp(_ call: WaitingCall, _ reason: WaitingEnd) { ends.withLock { $0.append(reason) } }
  }

  private func enter(_ id: UInt64) -> Bool {
    let key = BudgetKey(scope: .tag, name: "a", windowText: "1d")
    return fixture.member.waiting.enter(
      WaitingCall(connection: 1, id: id, frame: []),
      lacking: [WaitingRoom.Lack(key, PicoUSD(dollars: 1))], within: .seconds(60))
  }

  private func run(_ wakeups: [RedisThread.Wakeup], before: (Int) -> Void) -> [Duration] {
    var work = FleetWork(
      link, Reconciler(settings: ReconcilerSettings(), keys: RedisKeys(namespace: nil)),
      member: fixture.member, log: fixture.log)
    var delays: [Duration] = []
    work.run(
      waiting: { delay in
        let wakeup = wakeups[delays.count]
        delays.append(delay)
        before(delays.count)
        if wakeup == .timePassed { fixture.advance(delay) }
        return wakeup
      }, onFirstPass: {})
    return delays
  }

  /// Not sooner than 5 ms after the call before; the pass comes at its time.
  @Test func whoeverWaitsIsAskedForBetweenPasses() {
    let delays = run([.timePassed, .woken, .timePassed, .timePassed, .ending]) { wait in
      if wait == 2 { #expect(enter(1)) }
    }
    #expect(delays == [.zero, .seconds(1)] + Array(repeating: .milliseconds(5), count: 3))
    #expect(status.claims.onDemand == 2 && status.passesSucceeded == 2)
    #expect(link.begun == [.pass, .call, .call, .pass], "each has time of its own to try again")
  }

  @Test func anExchangeBetweenPassesHasTimeOfItsOwn() {
    _ = run([.timePassed, .woken, .ending]) { wait in
      if wait == 2 { fixture.member.mustTell.store(true, ordering: .relaxed) }
    }
    #expect(link.begun == [.pass, .call, .pass])
  }

  @Test func whenTwoAttemptsInARowFailNobodyWaits() {
    let desk = Desk()
    fixture.member.waiting.answer(at: desk)
    link.connecting = [.closed, .closed]
    _ = run([.timePassed, .timePassed, .timePassed, .timePassed, .ending]) { wait in
      switch wait {
      case 1: #expect(enter(1))
      case 2: #expect(desk.ends.withLock { $0 } == [] && enter(2))
      case 3: #expect(desk.ends.withLock { $0 } == [.away, .away] && !enter(3))
      case 4: #expect(enter(4), "the store is back")
      default: break
      }
    }
  }

  @Test func theEndIsOnePassMoreWhateverBecomesOfIt() {
    link.connecting = [.closed]
    #expect(run(waits: 0).delays == [.zero])
    #expect(status.passesFailed == 1 && status.passesSucceeded == 0)
    #expect(run(waits: 0).delays == [.zero])
    #expect(status.passesSucceeded == 1)
  }

  @Test func whatMayEvictIsTold() {
    link.facts.evictionPolicy = "allkeys-lru"
    _ = run(waits: 0)
    #expect(status.isEvictionUnsafe)
    link.disconnect()
    link.facts.evictionPolicy = "noeviction"
    _ = run(waits: 0)
    #expect(!status.isEvictionUnsafe)
  }

  @Test func aPassInPartKeepsTheLinkAndIsNoFirstPass() {
    link.nodes = .error(RedisRefusal(kind: .nodeAway, text: "10.0.0.1:6379: refused"))
    let partial = run(waits: 2)
    #expect(partial.firstPasses == 0 && link.connects == 1 && link.isConnected)
    #expect(partial.delays == [.zero, .seconds(1), .seconds(1)])
    #expect(status.passesPartial == 3 && status.passesSucceeded == 0 && status.passesFailed == 0)
    #expect(status.failure?.contains("10.0.0.1:6379: refused") == true)
    #expect(status.isPartitioned, "no pass was whole yet")
    link.nodes = .integer(2)
    #expect(run(waits: 0).firstPasses == 1 && status.isUp && !status.isPartitioned)
  }

  @Test func theStoresHealthIsNoted() {
    link.health.sentinelSwitches = 4
    _ = run(waits: 0)
    #expect(status.store.sentinelSwitches == 4)
  }

  @Test func nodesThatCannotBeCountedLeaveTheNumberAsItWas() {
    _ = run(waits: 0)
    link.nodes = .error(RedisRefusal(kind: .wrongType, text: "WRONGTYPE Operation against a key"))
    _ = run(waits: 0)
    #expect(status.nodes == 2 && status.nodesFaults == 1 && status.isUp)
    #expect(fixture.lines.count("error nodes cannot be counted") == 1)
  }
}
