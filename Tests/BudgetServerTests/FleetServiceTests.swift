import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetWire
import Foundation
import LiteLLMConfig
import Locks
import Logging
import NodeFixture
import Reconciliation
import SpendLedger
import TCPTransport
import Testing

@testable import BudgetServer

@Suite struct FleetServiceTests {
  private func fixture(_ policy: OutagePolicy) throws -> (MemberFixture, ServiceFixture) {
    let member = try MemberFixture([try providerBudget("p", 90)]) {
      $0.policy = policy
      $0.size = 3
    }
    let service = ServiceFixture(engine: member.engine, time: member.time, fleet: member.member)
    return (member, service)
  }

  private func filter(_ provider: String) -> RequestMessage.Method {
    .filterDeployments(
      FilterDeploymentsRequest(deployments: [Deployment(id: "d", provider: provider)]))
  }

  @Test func closedRefusesWhatHasABudgetUntilTheFirstPass() throws {
    let (member, service) = try fixture(.closed)
    member.member.start()
    member.member.passFailed("connection refused")
    let status = try #require(try service.call(filter("p")).status)
    #expect(status.code == .unavailable)
    #expect(
      status.message
        == "no agreement with Redis since the start at 2026-01-15T00:00:00.000Z: connection "
        + "refused. --outage-policy closed: requests that have a budget are refused until Redis "
        + "answers; share and open go on without it")
    #expect(try service.call(filter("x")).filtered.allowed == [0])
    var ping = try service.call(.ping).pinged
    #expect(ping.storeState == "partitioned")
    #expect(!ping.isReady)
    #expect(ping.notReadyReason.contains("connection refused"))
    member.member.passSucceeded(nodes: 2)
    #expect(try service.call(filter("p")).filtered.allowed == [0])
    ping = try service.call(.ping).pinged
    #expect(ping.storeState == "ok")
    #expect(ping.isReady)
    member.passIsOverdue()
    #expect(try service.call(filter("p")).status?.code == .unavailable)
    ping = try service.call(.ping).pinged
    #expect(!ping.isReady)
    #expect(ping.notReadyReason.contains("--outage-policy closed"))
  }

  @Test func budgetsAreTheFleetsAndSayWhenTheyWereAgreedUpon() throws {
    let (member, service) = try fixture(.share)
    var page = try service.call(.getProviderBudgets(.init())).page
    #expect(page.reconciledAtUnixMilliseconds == nil)
    let known = try #require(member.member.budgets(otherThan: nil))
    member.member.show(
      [FleetView(budget: 0, start: MemberFixture.start, others: PicoUSD(pico: 50))],
      of: known.generation)
    member.time.advance(milliseconds: 5)
    member.member.passSucceeded(nodes: 2)
    page = try service.call(.getProviderBudgets(.init())).page
    #expect(
      page.reconciledAtUnixMilliseconds == MemberFixture.start.unixMilliseconds + 5)
    #expect(page.providers.map(\.spendUSD) == [50e-12])
    #expect(page.providers.map(\.remainingUSD) == [40e-12])
  }

  @Test func aDenialSaysWhatShareWithholds() throws {
    let (member, service) = try fixture(.share)
    member.member.start()
    #expect(member.record(30, provider: "p"))
    let result = try service.call(filter("p"))
    #expect(result.status?.code == .resourceExhausted)
    #expect(try result.filtered.denials.map(\.withheldUSD) == [60e-12])
    #expect(
      result.status?.message
        == "No deployments available - crossed budget: Exceeded budget for provider p: 9e-11 >= "
        + "9e-11 ($6e-11 withheld: the store is away, outage policy share)\n")
  }

  @Test func aDrainEndsWithALastPass() async throws {
    let directory =
      FileManager.default.temporaryDirectory.path + "/fleet-drain-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false)
    let config = directory + "/config.yaml"
    try Data(
      """
      router_settings:
        provider_budget_config:
          openai: {budget_limit: 1, time_period: 1d}
      """.utf8
    ).write(to: URL(filePath: config))
    var options = ServerOptions(configPath: config, dataDirectory: directory + "/data")
    options.listen = ["127.0.0.1:0"]
    options.redis = .given(
      RedisSource(endpoint: .unix(path: directory + "/redis.sock"), origin: "the test"))
    let lines = TestLog.Lines()
    let server = try BudgetServer(
      options: options, log: Logger(label: "test") { _ in TestLog(lines) })
    let member = try #require(server.member)
    server.start()
    let passed = Locked<[Int]>([])
    let cutOff = await server.drain(within: .seconds(5)) { duration in
      #expect(duration == .seconds(3))
      let count = (try? member.news().totals.count) ?? -1
      passed.withLock { $0.append(count) }
    }
    #expect(cutOff == 0)
    // The provider's window, noted at the start, is news to the last pass.
    #expect(passed.withLock { $0 } == [1])
    #expect(throws: FleetNodeError.self) { try member.news() }
  }
}
