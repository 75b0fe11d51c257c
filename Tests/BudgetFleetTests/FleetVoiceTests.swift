import BudgetModel
import Logging
import NodeFixture
import RedisStore
import Testing

@testable import BudgetFleet
@testable import Reconciliation

/// The log tells what changed, once.
@Suite struct FleetVoiceTests {
  private let lines = TestLog.Lines()
  private let voice: FleetVoice

  init() {
    voice = FleetVoice(
      log: Logger(label: "test") { [lines] _ in
        var handler = TestLog(lines)
        handler.logLevel = .debug
        return handler
      })
  }

  private func facts(
    run: String = "a", history: String = "h", policy: String? = "noeviction"
  ) -> ServerFacts {
    var facts = ServerFacts()
    facts.version = "7.0.15"
    facts.runID = run
    facts.replicationID = history
    facts.evictionPolicy = policy
    return facts
  }

  @Test func anotherProcessOrHistoryIsToldAndTheSameIsNot() {
    for facts in [facts(), facts(), facts()] { voice.connected(facts) }
    #expect(lines.all == ["info connected to Redis 7.0.15"])
    voice.connected(facts(run: "b"))
    voice.connected(facts(run: "b", history: "i"))
    #expect(lines.count("notice Redis is another process or has another history") == 2)
    #expect(lines.all.count == 3)
  }

  @Test func evictionIsToldWhereItChanges() {
    voice.connected(facts(policy: "allkeys-lru"))
    voice.connected(facts(policy: "allkeys-lru"))
    voice.connected(facts(policy: nil))
    #expect(lines.count("error Redis may evict budgets' keys (maxmemory-policy allkeys-lru)") == 1)
    voice.connected(facts(policy: "volatile-ttl"))
    #expect(lines.count("error Redis may evict budgets' keys") == 2)
    voice.connected(facts())
    #expect(lines.count("error") == 2)
  }

  @Test func aNodeOfAClusterIsNotWhatIsNeeded() {
    var facts = facts()
    facts.isCluster = true
    voice.connected(facts)
    #expect(lines.count("error Redis is a node of a cluster: give --redis cluster://") == 1)
  }

  @Test func aClusterSaysHowManyMastersItHas() {
    var facts = facts()
    (facts.isCluster, facts.masters) = (true, 3)
    voice.connected(facts)
    #expect(lines.all == ["info connected to a Redis cluster of 3 masters, 7.0.15"])
  }

  @Test func aPartThatIsAwayIsToldOnceAndSoIsItsReturn() {
    var report = PassReport()
    report.away = 2
    report.noteAway(RedisRefusal(kind: .nodeAway, text: "10.0.0.1:6379: refused"))
    for _ in 0..<3 { voice.passed(report) }
    #expect(
      lines.all == [
        "warning a part of Redis is away, 2 budgets wait for it: 10.0.0.1:6379: refused. The others "
          + "go on; trying again"
      ])
    for _ in 0..<3 { voice.passed(PassReport()) }
    #expect(lines.all.last == "notice every master of the cluster answers again")
    #expect(lines.all.count == 2)
  }

  @Test func clocksThatAreApartAreToldWhenTheyBeginToBe() {
    var health = StoreHealth()
    for (milliseconds, count) in [(500, 0), (501, 1), (900, 1), (10, 1), (2_000, 2)] {
      health.cluster = .init(
        nodesUp: 3, nodesAway: 0, redirects: [], clockDifference: .milliseconds(milliseconds))
      voice.heard(health)
      #expect(lines.count("warning the clocks of the cluster's masters are") == count)
    }
  }

  @Test func eachSwitchOfTheSentinelsIsTold() {
    var health = StoreHealth()
    for switches in [0, 0, 1, 1, 2] {
      health.sentinelSwitches = switches
      voice.heard(health)
    }
    #expect(lines.count("notice the sentinels name another master") == 2)
  }

  private let key = BudgetKey(scope: .tag, name: "t", windowText: "1d")

  @Test func lateSpendIsToldWithItsAmountAndManyInOneLine() {
    var report = PassReport()
    report.late = (1...PassReport.faultBound + 3).map {
      .init(
        key: key, start: Timestamp(unixMilliseconds: 0),
        amount: PicoUSD(pico: Int128($0) * 1_000_000_000_000))
    }
    voice.passed(report)
    #expect(lines.count("came too late for its window from 1970-01-01") == PassReport.faultBound)
    #expect(lines.count("warning $7 of tag t") == 1)
    #expect(lines.all.last == "warning and of 3 more windows")
  }

  @Test func faultsAreToldWhenTheyChange() {
    var report = PassReport()
    report.fault(key, "its spend key holds no number")
    report.fault(key, "its marker is not readable", isShared: true)
    for _ in 0..<3 { voice.passed(report) }
    #expect(lines.count("error \(key) cannot be shared: its spend key holds no number") == 1)
    #expect(lines.count("warning \(key): its marker is not readable") == 1)
    #expect(lines.all.count == 2)
    for _ in 0..<30 { report.fault(key, "again") }
    voice.passed(report)
    #expect(lines.all.last == "error and 12 more budgets")
    voice.passed(PassReport())
    voice.passed(PassReport())
    #expect(lines.all.last == "error and 12 more budgets", "what is well again is not told")
  }

  @Test func nodesThatCannotBeCountedAreToldOnceAndSoIsTheirEnd() {
    var report = PassReport()
    report.nodesFault = "WRONGTYPE"
    for _ in 0..<3 { voice.passed(report) }
    #expect(lines.count("error nodes cannot be counted") == 1)
    report.nodesFault = nil
    report.nodes = 3
    for _ in 0..<3 { voice.passed(report) }
    #expect(lines.all.last == "notice nodes are counted again: 3" && lines.all.count == 2)
  }

  @Test func anOutageIsToldOnceAndOtherReasonsToWhoeverLooks() {
    for _ in 0..<3 { voice.failed(.store(.closed)) }
    #expect(lines.all.count == 1 && lines.count("warning no pass with Redis") == 1)
    voice.failed(.store(.timedOut(.seconds(3))))
    voice.failed(.store(.timedOut(.seconds(3))))
    #expect(lines.all.count == 2 && lines.count("debug still no pass with Redis") == 1)
    voice.passed(PassReport())
    voice.failed(.store(.closed))
    #expect(lines.count("warning no pass with Redis") == 2)
  }

  @Test func whatTheMemberHasToldIsNotToldAgain() {
    voice.failed(
      .clock(
        ClockDoubt(
          store: Timestamp(unixMilliseconds: 0), expected: Timestamp(unixMilliseconds: 1),
          boundSeconds: 10)))
    #expect(lines.all.isEmpty)
  }

  @Test func mendedMarkersAreCounted() {
    var report = PassReport()
    report.mended = 4
    voice.passed(report)
    #expect(lines.count("warning 4 budgets had lost spend key or marker in Redis") == 1)
    report.mended = 1
    voice.passed(report)
    #expect(lines.count("warning 1 budget had lost spend key or marker in Redis") == 1)
  }
}
