import BudgetFleet
import BudgetModel
import Foundation
import SpendLedger
import TCPTransport
import Testing

@testable import BudgetPages

/// Whole pages, of a node that is made up: what the sources say is what stands there.
@Suite struct WholePageTests {
  private func fixture() throws -> PageFixture {
    try PageFixture([PageFixture.budget(.provider, "openai", 1), PageFixture.budget(.tag, "t", 0)])
  }

  private func requests() -> RequestReading {
    var requests = RequestReading()
    var durations = Histogram(upperBounds: [1_000_000])
    durations.add(500_000)
    requests.methods = [
      .init(name: "_unknown", answers: [("INVALID_ARGUMENT", 2)], durations: nil),
      .init(name: "Ping", answers: [("OK", 4), ("UNAVAILABLE", 1)], durations: durations),
    ]
    requests.denials = [1, 0, 3, 0, 0, 0]
    requests.repliesShortened = 9
    requests.contradictions = 8
    requests.unusableNames = [.init(field: "tag", reason: "utf8", count: 5)]
    requests.unresolvedModels = 6
    requests.unbudgetedRecords = 7
    return requests
  }

  private func spend() -> SpendReading {
    var spend = SpendReading()
    spend.recorded = PicoUSD(dollars: 12)
    spend.unbudgeted = PicoUSD(dollars: 2)
    (spend.records, spend.duplicates, spend.mismatches) = (11, 12, 13)
    (spend.outOfRange, spend.refused, spend.unknown) = (14, 15, 16)
    return spend
  }

  private func ledger() -> LedgerReading {
    var ledger = LedgerReading()
    ledger.counters.refusedAtQueue = 17
    ledger.counters.commits = 18
    ledger.state = .refusing(reason: "the disk is full")
    ledger.isWritable = false
    ledger.lag = .milliseconds(1_500)
    ledger.keyBound = 19
    ledger.keyMemoryMilliseconds = 86_400_000
    return ledger
  }

  private func traffic() -> TransportCounters {
    var traffic = TransportCounters()
    traffic.connectionsOpen = 20
    traffic.connectionsRefused = 5
    traffic.connectionsRefusedDraining = 2
    return traffic
  }

  private func busy() throws -> PageFixture {
    var fixture = try fixture()
    fixture.node.notReadyReasons = ["draining"]
    fixture.node.warnings = ["the clocks are apart"]
    fixture.node.clocks = .init(aheadMilliseconds: -1_500, timesApart: 3)
    fixture.node.config.refusal = "line 3"
    let (requests, spend, ledger, traffic) = (requests(), spend(), ledger(), traffic())
    var fleet = FleetStatus(policy: .share)
    fleet.nodes = 3
    fleet.passesSkipped = 21
    fleet.passesPartial = 24
    fleet.store.sentinelSwitches = 25
    fleet.store.certificateEnd = 26
    fleet.store.cluster = .init(
      nodesUp: 27, nodesAway: 28, redirects: [.init(kind: "moved", count: 29)],
      clockDifference: .milliseconds(1_500))
    let known = fleet
    fixture.change = { sources in
      sources.node.unsentBoundBytes = 1_024
      sources.node.isInsecure = true
      sources.requests = { requests }
      sources.spend = { spend }
      sources.ledger = { _ in ledger }
      sources.traffic = { traffic }
      sources.denials = { { slot in 100 + Int(slot) } }
      sources.fleet = { known }
      sources.trace = { TraceReading(written: 22, lost: 23) }
    }
    return fixture
  }

  @Test func metricsSayWhatTheSourcesSay() throws {
    let lines = Set(try busy().metrics)
    for line in [
      #"budgetd_rpc_requests_total{method="_unknown",status="INVALID_ARGUMENT"} 2"#,
      #"budgetd_rpc_requests_total{method="Ping",status="OK"} 4"#,
      #"budgetd_rpc_duration_seconds_count{method="Ping"} 1"#,
      #"budgetd_denials_total{scope="provider"} 1"#, #"budgetd_denials_total{scope="tag"} 3"#,
      #"budgetd_bounds_hit_total{bound="denials"} 9"#, "budgetd_contradicting_providers_total 8",
      #"budgetd_unusable_names_total{field="tag",reason="utf8"} 5"#,
      "budgetd_unresolved_models_total 6", "budgetd_unbudgeted_records_total 7",
      "budgetd_spend_recorded_dollars_total 12", #"budgetd_records_total{outcome="recorded"} 11"#,
      #"budgetd_records_total{outcome="duplicate"} 12"#,
      #"budgetd_records_total{outcome="mismatch"} 13"#,
      #"budgetd_records_total{outcome="out_of_range"} 14"#,
      #"budgetd_records_total{outcome="refused"} 15"#,
      #"budgetd_records_total{outcome="unknown"} 16"#,
      #"budgetd_bounds_hit_total{bound="commit_queue"} 17"#, "budgetd_ledger_writable 0",
      #"budgetd_ledger_commits_total{outcome="committed"} 18"#, "budgetd_ledger_lag_seconds 1.5",
      "budgetd_ledger_keys_kept 19", "budgetd_idempotency_horizon_seconds 86400",
      "budgetd_connections 20", #"budgetd_connections_refused_total{reason="bound"} 3"#,
      #"budgetd_connections_refused_total{reason="draining"} 2"#,
      "budgetd_unsent_bound_bytes 1024", "budgetd_insecure_listener 1", "budgetd_ready 0",
      "budgetd_clock_ahead_seconds -1.5", "budgetd_clock_apart_total 3",
      "budgetd_config_last_reload_successful 0", #"budgetd_build_info{version="1.2.3"} 1"#,
      "budgetd_fleet_nodes 3", #"budgetd_reconcile_passes_total{outcome="skipped"} 21"#,
      #"budgetd_reconcile_passes_total{outcome="partial"} 24"#,
      "budgetd_sentinel_switches_total 25", #"budgetd_redis_nodes{state="up"} 27"#,
      #"budgetd_redis_nodes{state="away"} 28"#,
      #"budgetd_redis_redirects_total{kind="moved"} 29"#,
      "budgetd_redis_clock_difference_seconds 1.5",
      #"budgetd_tls_certificate_expiry_timestamp_seconds{use="redis_client"} 26"#,
      "budgetd_trace_steps_total 22", "budgetd_trace_lost_steps_total 23",
      #"budgetd_budget_charged_dollars_total{scope="_unknown",name="_unknown",window=""} 2"#,
      #"budgetd_budget_exhausted{scope="tag",name="t",window="1d"} 1"#,
      #"budgetd_budget_denials_total{scope="provider",name="openai",window="1d"} 100"#,
      #"litellm_provider_remaining_budget_metric{api_provider="openai"} 1"#,
    ] {
      #expect(lines.contains(line), "\(line)")
    }
  }

  @Test func familiesOfWhatIsNotThereAreLeftOut() throws {
    let lines = try fixture().metrics
    for name in ["budgetd_fleet_nodes", "budgetd_redis_up", "budgetd_trace_", "budgetd_clock_"] {
      #expect(!lines.contains { $0.contains(name) }, "\(name)")
    }
    #expect(lines.contains("budgetd_ready 1") && lines.contains("budgetd_insecure_listener 0"))
  }

  private func json(_ fixture: PageFixture) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(try fixture.status)) as? [String: Any])
  }

  @Test func theStatusSaysWhatTheSourcesSay() throws {
    let status = try json(try busy())
    func member(_ object: String, _ name: String) -> String {
      (status[object] as? [String: Any])?[name].map { "\($0)" } ?? "absent"
    }
    #expect(status["ready"] as? Bool == false && status["version"] as? String == "1.2.3")
    #expect(status["not_ready_reasons"] as? [String] == ["draining"])
    let warnings = try #require(status["warnings"] as? [String])
    #expect(warnings.first == "the clocks are apart" && warnings.count == 2)
    #expect(warnings.last?.hasPrefix("other machines reach this node") == true)
    #expect(status["insecure_network"] as? Bool == true)
    #expect(member("config", "last_reload_error") == "line 3")
    #expect(member("rpc", "connections") == "20" && member("rpc", "requests") == "7")
    #expect(member("spend", "recorded") == "12" && member("spend", "duplicates") == "12")
    #expect(member("spend", "records") == "11" && member("spend", "refused") == "15")
    #expect(member("spend", "unknown") == "16" && member("ledger", "commits") == "18")
    #expect(member("ledger", "state") == "refusing")
    #expect(member("ledger", "reason") == "the disk is full")
    #expect(member("ledger", "lag_seconds") == "1.5" && member("ledger", "durability") == "commit")
    #expect(member("fleet", "nodes") == "3")
    #expect(status["redis"] is [String: Any])
    #expect((status["budgets"] as? [Any])?.count == 2)
  }

  @Test func aNodeThatIsAloneHasNoFleet() throws {
    let status = try json(try fixture())
    #expect(status["redis"] is NSNull && status["fleet"] is NSNull)
    #expect(status["ready"] as? Bool == true)
  }
}
