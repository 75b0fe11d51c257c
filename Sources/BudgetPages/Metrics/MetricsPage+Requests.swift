import BudgetModel
import PrometheusText
import TCPTransport

extension MetricsPage {
  func addRequests(
    _ requests: RequestReading, refusedAtQueue: UInt64, to text: inout MetricsText
  ) {
    text.begin("budgetd_rpc_requests_total", .counter, "Requests answered, by method and status.")
    for method in requests.methods {
      for (status, count) in method.answers {
        text.sample(count, LabelSet([("method", method.name), ("status", status)]))
      }
    }
    text.begin(
      "budgetd_rpc_duration_seconds", .histogram,
      "From the reading of a request's last bytes until its reply was handed to the socket.")
    for method in requests.methods {
      guard let durations = method.durations else { continue }
      text.sample(durations, unit: .nanoseconds, LabelSet([("method", method.name)]))
    }
    text.begin(
      "budgetd_denials_total", .counter,
      "Findings that kept a candidate out, by the budget's scope.")
    for scope in BudgetScope.allCases {
      text.sample(
        requests.denials[Int(scope.rawValue) - 1], LabelSet([("scope", scope.description)]))
    }
    text.begin(
      "budgetd_denials_omitted_total", .counter, "Findings past the bound of one reply.")
    text.sample(requests.denialsOmitted)
    addConnections(
      shortened: requests.repliesShortened, refusedAtQueue: refusedAtQueue, to: &text)
    text.begin(
      "budgetd_unusable_names_total", .counter,
      "Names that can match no budget, by field and reason.")
    for names in requests.unusableNames {
      text.sample(names.count, LabelSet([("field", names.field), ("reason", names.reason)]))
    }
    text.begin(
      "budgetd_unresolved_models_total", .counter, "Models for which no rule names a provider.")
    text.sample(requests.unresolvedModels)
    text.begin(
      "budgetd_contradicting_providers_total", .counter,
      "Providers in requests that are others than the model list's for the deployment.")
    text.sample(requests.contradictions)
  }

  private func addConnections(
    shortened: Int, refusedAtQueue: UInt64, to text: inout MetricsText
  ) {
    let traffic = sources.traffic()
    text.begin("budgetd_connections", .gauge, "RPC connections open.")
    text.sample(traffic.connectionsOpen)
    text.begin(
      "budgetd_connections_accepted_total", .counter, "RPC connections accepted and served.")
    text.sample(traffic.connectionsAccepted)
    text.begin(
      "budgetd_connections_refused_total", .counter, "RPC connections turned away at once.")
    let draining = traffic.connectionsRefusedDraining
    add(
      [("bound", traffic.connectionsRefused - draining), ("draining", draining)], as: "reason",
      to: &text)
    text.begin("budgetd_connections_closed_total", .counter, "RPC connections ended, by cause.")
    add(
      [
        ("peer", traffic.closedByPeer), ("error", traffic.closedByError),
        ("handler", traffic.closedByHandler), ("idle", traffic.closedIdle),
        ("slow", traffic.closedSlow), ("memory", traffic.closedForMemory),
        ("access", traffic.closedForAccess), ("drain", traffic.closedByDrain),
        ("cut_off", traffic.cutOffByDrain),
      ], as: "cause", to: &text)
    text.begin("budgetd_received_bytes_total", .counter, "Bytes read from RPC connections.")
    text.sample(traffic.bytesReceived)
    text.begin("budgetd_sent_bytes_total", .counter, "Bytes taken by RPC connections.")
    text.sample(traffic.bytesSent)
    addUnsent(traffic, to: &text)
    text.begin("budgetd_half_frames_total", .counter, "Frames that the peer left half sent.")
    text.sample(traffic.halfFrames)
    text.begin("budgetd_replies_dropped_total", .counter, "Replies whose connection was gone.")
    text.sample(traffic.repliesDropped)
    text.begin("budgetd_bounds_hit_total", .counter, "How often a bound of the RPC port was met.")
    add(
      [
        ("connections", traffic.connectionsRefused - draining),
        ("client_connections", traffic.refusedOfClient), ("frame_bytes", traffic.framesTooLarge),
        ("frame_time", traffic.frameTimeouts),
        ("idle_time", traffic.closedIdle), ("stall_time", traffic.closedSlow),
        ("unsent_total", traffic.closedForMemory), ("descriptors", traffic.acceptPauses),
        ("commit_queue", refusedAtQueue),
        ("denials", UInt64(shortened)),
      ], as: "bound", to: &text)
  }

  private func addUnsent(_ traffic: TransportCounters, to text: inout MetricsText) {
    text.begin(
      "budgetd_unsent_bytes", .gauge,
      "Bytes that RPC connections hold: replies not taken, requests not whole or not handled.")
    text.sample(traffic.heldBytes)
    text.begin("budgetd_unsent_bound_bytes", .gauge, "How many they may hold, all together.")
    text.sample(sources.node.unsentBoundBytes)
    text.begin(
      "budgetd_connections_stopped_total", .counter,
      "Times that a connection was not read any more, for what waited to be written.")
    add(
      [
        ("own", traffic.stoppedByOwn), ("total", traffic.stoppedByTotal),
        ("client", traffic.stoppedByClient), ("client_rate", traffic.stoppedByRate),
      ], as: "bound", to: &text)
  }

  /// A sample for each value of one label.
  func add(
    _ samples: [(value: String, count: UInt64)], as label: StaticString, to text: inout MetricsText
  ) {
    for (value, count) in samples { text.sample(count, LabelSet([(label, value)])) }
  }
}
