import BudgetFleet
import BudgetModel
import HTTPPort
import PrometheusText

extension MetricsPage {
  func addFleet(_ fleet: FleetStatus, to text: inout MetricsText) {
    text.begin("budgetd_redis_up", .gauge, "1 while the last pass reached Redis.")
    text.sample(fleet.isUp)
    text.begin("budgetd_redis_eviction_unsafe", .gauge, "1 where Redis may evict budgets' keys.")
    text.sample(fleet.isEvictionUnsafe)
    text.begin("budgetd_partitioned", .gauge, "1 while the outage policy is in force.")
    text.sample(fleet.isPartitioned)
    text.begin("budgetd_fleet_nodes", .gauge, "Nodes that Redis knows, this one included.")
    if let nodes = fleet.nodes { text.sample(nodes) }
    text.begin("budgetd_reconcile_passes_total", .counter, "Passes, by outcome.")
    add(
      [
        ("ok", UInt64(fleet.passesSucceeded)), ("failed", UInt64(fleet.passesFailed)),
        ("skipped", UInt64(fleet.passesSkipped)), ("partial", UInt64(fleet.passesPartial)),
      ], as: "outcome", to: &text)
    text.begin(
      "budgetd_reconcile_lag_seconds", .gauge,
      "Since the last pass that succeeded; since the start, before the first.")
    text.sample(nanoseconds: fleet.lag.nanoseconds)
    text.begin(
      "budgetd_reconcile_pass_duration_seconds", .histogram, "Time of a pass that succeeded.")
    text.sample(fleet.passDurations, unit: .nanoseconds)
    text.begin(
      "budgetd_late_spend_dollars_total", .counter, "Spend that came after its window had ended.")
    text.sample(fleet.lateSpend)
    text.begin(
      "budgetd_redis_clock_jumps_total", .counter,
      "Times that Redis' clock jumped by more than two seconds.")
    text.sample(fleet.clockJumps)
    text.begin(
      "budgetd_fleet_nodes_faults_total", .counter,
      "Passes that could not count the nodes: what was last known holds.")
    text.sample(fleet.nodesFaults)
    text.begin(
      "budgetd_redis_clock_doubted", .gauge,
      "1 while Redis' clock says what this node does not believe.")
    text.sample(fleet.isClockDoubted)
    addServers(fleet.store, to: &text)
  }

  private func addServers(_ store: StoreHealth, to text: inout MetricsText) {
    if let switches = store.sentinelSwitches {
      text.begin(
        "budgetd_sentinel_switches_total", .counter,
        "Times that the link moved to another master that the sentinels named.")
      text.sample(switches)
    }
    guard let cluster = store.cluster else { return }
    text.begin("budgetd_redis_nodes", .gauge, "Masters of the Redis cluster, by state.")
    add(
      [("up", UInt64(cluster.nodesUp)), ("away", UInt64(cluster.nodesAway))], as: "state",
      to: &text)
    text.begin(
      "budgetd_redis_redirects_total", .counter,
      "Answers of the cluster's nodes that sent a command elsewhere or had it wait, by kind.")
    add(
      cluster.redirects.map { ($0.kind, UInt64($0.count)) }, as: "kind", to: &text)
    text.begin(
      "budgetd_redis_clock_difference_seconds", .gauge,
      "The largest difference between two masters' clocks.")
    text.sample(nanoseconds: cluster.clockDifference.nanoseconds)
  }

  func addNode(to text: inout MetricsText, at now: Timestamp) {
    text.begin("budgetd_build_info", .gauge, "1, by version.")
    text.sample(1, LabelSet([("version", sources.node.version)]))
    text.begin("budgetd_ready", .gauge, "1 while /readyz answers 200.")
    let node = sources.standing(now)
    text.sample(node.isReady)
    if let clocks = node.clocks {
      text.begin(
        "budgetd_clock_ahead_seconds", .gauge, "Fleet time less this host's wall clock.")
      text.sample(milliseconds: clocks.aheadMilliseconds)
      text.begin(
        "budgetd_clock_apart_total", .counter,
        "Times that fleet time and the wall clock came more than a minute apart.")
      text.sample(clocks.timesApart)
    }
    text.begin(
      "budgetd_config_last_reload_successful", .gauge,
      "1 where the last load or reload was accepted.")
    text.sample(node.config.refusal == nil)
    text.begin(
      "budgetd_config_last_reload_success_timestamp_seconds", .gauge,
      "When a configuration was last accepted.")
    text.sample(milliseconds: node.config.acceptedAt.unixMilliseconds)
    text.begin(
      "budgetd_insecure_listener", .gauge,

      "1 where other machines reach a listener without encryption, or without saying who they are.")
    text.sample(sources.node.isInsecure)
    addAccess(to: &text)
    text.begin("budgetd_http_requests_total", .counter, "Answers of the HTTP port.")
    for (answered, count) in pages.all {
      text.sample(
        count, LabelSet([("path", answered.path), ("status", "\(answered.status)")]))
    }
    text.begin("budgetd_http_connections", .gauge, "HTTP connections open.")
    text.sample(sources.http.connections)
    text.begin(
      "budgetd_http_bounds_hit_total", .counter, "How often a bound of the HTTP port was met.")
    for bound in HTTPBound.allCases {
      text.sample(sources.http.hits(bound), LabelSet([("bound", bound.rawValue)]))
    }
  }

  private func addAccess(to text: inout MetricsText) {
    let access = sources.accessReading()
    text.begin(
      "budgetd_access_entries", .gauge,
      "Clients in the access file; 0 where there is none, and everybody may do everything.")
    text.sample(access.clients)
    text.begin(
      "budgetd_access_refused_total", .counter, "Times that somebody was turned away, by reason.")
    for (reason, count) in access.refusals { text.sample(count, LabelSet([("reason", reason)])) }
    text.begin(
      "budgetd_audit_total", .counter, "Things done that the log names with who did them.")
    for (action, count) in access.audited { text.sample(count, LabelSet([("action", action)])) }
  }

  /// Of this node's ports, and the one that it shows to Redis.
  func addCertificates(
    _ security: SecurityReading?, _ fleet: FleetStatus?, to text: inout MetricsText
  ) {
    var ends = security?.ends ?? []
    if let seconds = fleet?.store.certificateEnd { ends.append(("redis_client", seconds)) }
    if security == nil, ends.isEmpty { return }
    text.begin(
      "budgetd_tls_certificate_expiry_timestamp_seconds", .gauge,
      "When a certificate in force ends, by its use.")
    for (use, seconds) in ends { text.sample(Int(seconds), LabelSet([("use", use)])) }
  }

  /// Only where connections are encrypted.
  func addSecurity(_ security: SecurityReading, to text: inout MetricsText) {
    text.begin(
      "budgetd_tls_handshakes_total", .counter, "Handshakes that came to an end, by result.")
    for (port, result, count) in security.handshakes {
      text.sample(count, LabelSet([("port", port), ("result", result)]))
    }
    text.begin(
      "budgetd_tls_truncated_total", .counter,
      "Encrypted RPC connections that ended without a goodbye.")
    text.sample(security.cuts)
  }

  /// Only where a trace is written.
  func addTrace(_ trace: TraceReading, to text: inout MetricsText) {
    text.begin("budgetd_trace_steps_total", .counter, "Steps written to the trace.")
    text.sample(trace.written)
    text.begin(
      "budgetd_trace_lost_steps_total", .counter, "Steps that the trace is missing.")
    text.sample(trace.lost)
  }

  func addProcess(to text: inout MetricsText) {
    guard let process = ProcessReading.now() else { return }
    text.begin(
      "process_cpu_seconds_total", .counter, "Total user and system CPU time spent in seconds.")
    text.sample(process.cpuSeconds)
    text.begin("process_resident_memory_bytes", .gauge, "Resident memory size in bytes.")
    text.sample(process.residentBytes)
    text.begin("process_virtual_memory_bytes", .gauge, "Virtual memory size in bytes.")
    text.sample(process.virtualBytes)
    text.begin("process_open_fds", .gauge, "Number of open file descriptors.")
    text.sample(process.openDescriptors)
    text.begin("process_max_fds", .gauge, "Maximum number of open file descriptors.")
    text.sample(process.descriptorLimit)
    text.begin(
      "process_start_time_seconds", .gauge,
      "Start time of the process since unix epoch in seconds.")
    text.sample(process.startSeconds)
  }
}
