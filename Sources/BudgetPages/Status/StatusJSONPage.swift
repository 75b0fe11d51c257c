import BudgetEngine
import BudgetFleet
import BudgetModel
import HTTPPort
import JSONWriting
import SpendLedger
import TCPTransport

/// `/status.json`: what the status page shows.
final class StatusJSONPage: Sendable {
  private let sources: PageSources

  /// Denials in force that are listed; the rest is counted.
  private static let denialsListed = 100
  /// Of each pattern so many names are listed, those nearest to their limits.
  static let namesListed = 10

  private static let insecureWarning =
    "other machines reach this node without encryption, or without saying who they are "
    + "(--insecure-network)"

  init(_ sources: PageSources) { self.sources = sources }

  func response(to query: StatusQuery) -> HTTPResponse {
    let now = sources.time.now()
    let catalog = sources.engine.catalog
    let patterns = DynamicReading(of: sources.engine, in: catalog, at: now)
      .patterns(nearest: Self.namesListed)
    let entries = Self.entries(in: catalog, patterns) { sources.engine.report(on: $0, at: now) }
    let frozenNames = CatalogBudget.frozenNames(in: catalog)
      .map { sources.engine.report(on: $0, at: now) }
    // Frozen names and budgets of names come behind those that the configuration names.
    let reports = entries + frozenNames + patterns.flatMap { $0.nearest.map(\.report) }
    let ranked = Self.nearestFirst(reports)
    let pace = sources.pace.reading
    let requests = sources.requests()
    var text = JSONText(capacity: 4_096 + 640 * min(query.limit, reports.count))
    text.object { text in
      addNode(to: &text, at: now)
      StatusOutlook(entries, frozenNames: frozenNames) { index in
        pace.forecasts(ofSlot: catalog.budgets[index].slot, entries[index], at: now)
      }.append(to: &text)
      let matching = ranked.filter { Self.matches(reports[$0], query) }
      let shown = matching.prefix(query.limit)
      text.object("query") { text in
        text.add("scope", query.scope?.description)
        text.add("q", query.text)
        text.add("limit", query.limit)
        text.add("matched", matching.count)
        text.add("shown", shown.count)
      }
      text.array("budgets") { text in
        for index in shown {
          guard index < entries.count else {
            StatusBudget(reports[index], rate: nil, Forecasts()).append(to: &text)
            continue
          }
          let budget = catalog.budgets[index]
          var shown = StatusBudget(reports[index], slot: budget.slot, pace, at: now)
          shown.pattern = catalog.pattern(ofOwn: budget).map { patterns[$0] }
          shown.append(to: &text)
        }
      }
      addDenials(ranked.lazy.map { reports[$0] }.filter(\.denies), to: &text)
      addRequests(requests, pace.requestsPerSecond(requests.requests), to: &text)
      addSpend(to: &text)
      addLedger(at: now, to: &text)
      addFleet(to: &text)
    }
    return HTTPResponse(
      contentType: "application/json; charset=utf-8", body: HTTPBody(text.bytes))
  }

  /// The budgets that the configuration names. A frozen pattern's own budget counts as frozen: each of
  /// its names is.
  private static func entries(
    in catalog: BudgetCatalog, _ patterns: [PatternReport],
    _ report: (CatalogBudget) -> BudgetReport
  ) -> [BudgetReport] {
    let frozen = patterns.filter { $0.pattern.policy.mode == .freeze }.map(\.slot)
    return catalog.budgets.map { budget in
      var report = report(budget)
      if !frozen.isEmpty, frozen.contains(budget.slot) { report.mode = .freeze }
      return report
    }
  }

  /// Positions, frozen ones first, since somebody has to lift that; then those nearest to their limit;
  /// among equals as configured; then those that are meant to give nothing, and unlimited ones last.
  static func nearestFirst(_ reports: [BudgetReport]) -> [Int] {
    let ratios = reports.map { report in
      report.mode == .freeze
        ? .infinity : StatusBudget.isClosed(report) ? -1 : StatusBudget.usedRatio(report) ?? -2
    }
    return reports.indices.sorted { (ratios[$1], $0) < (ratios[$0], $1) }
  }

  static func matches(_ report: BudgetReport, _ query: StatusQuery) -> Bool {
    if let scope = query.scope, scope != report.key.scope { return false }
    return query.text.isEmpty
      || report.key.name.lowercased().contains(query.text.lowercased())
  }

  private func addNode(to text: inout JSONText, at now: Timestamp) {
    let node = sources.standing(now)
    let config = node.config
    text.add("now", now)
    text.add("version", sources.node.version)
    text.add("node_id", sources.node.nodeID)
    text.add("started_at_unix_ms", sources.node.startedAt.unixMilliseconds)
    let uptime = now.unixMilliseconds - sources.node.startedAt.unixMilliseconds
    text.add("uptime_seconds", Double(uptime) / 1_000)
    text.add("ready", node.isReady)
    text.array("not_ready_reasons") { text in
      for reason in node.notReadyReasons { text.element(reason) }
    }
    text.array("warnings") { text in
      for warning in node.warnings { text.element(warning) }
      if sources.node.isInsecure { text.element(Self.insecureWarning) }
    }
    text.add("insecure_network", sources.node.isInsecure)
    text.object("config") { text in
      text.add("path", config.path)
      text.add("accepted_at_unix_ms", config.acceptedAt.unixMilliseconds)
      text.add("last_reload_successful", config.refusal == nil)
      text.add("last_reload_error", config.refusal)
    }
  }

  private func addDenials(_ exhausted: some Sequence<BudgetReport>, to text: inout JSONText) {
    let exhausted = Array(exhausted)
    text.object("denials") { text in
      text.add("total", exhausted.count)
      text.add("closed", exhausted.count { StatusBudget.isClosed($0) })
      text.array("in_force") { text in
        for report in exhausted.prefix(Self.denialsListed) {
          text.object { text in
            text.add("scope", report.key.scope.description)
            text.add("name", report.key.name)
            text.add("window", report.key.windowText)
            text.add("closed", StatusBudget.isClosed(report))
            text.add("reason", StatusBudget.denial(report))
          }
        }
      }
    }
  }

  private func addRequests(
    _ requests: RequestReading, _ perSecond: Double?, to text: inout JSONText
  ) {
    text.object("rpc") { text in
      text.add("connections", sources.traffic().connectionsOpen)
      text.add("requests", requests.requests)
      text.add("requests_per_second", perSecond)
      text.object("denials") { text in
        for scope in BudgetScope.allCases {
          text.add(scope.description, requests.denials[Int(scope.rawValue) - 1])
        }
      }
    }
  }

  private func addSpend(to text: inout JSONText) {
    let spend = sources.spend()
    text.object("spend") { text in
      text.add("recorded", spend.recorded)
      text.add("records", spend.records)
      text.add("duplicates", spend.duplicates)
      text.add("refused", spend.refused)
      text.add("unknown", spend.unknown)
    }
  }

  private func addLedger(at now: Timestamp, to text: inout JSONText) {
    let ledger = sources.ledger(now)
    let counters = ledger.counters
    let (state, reason): (String, String?) =
      switch ledger.state {
      case .ready: ("ready", nil)
      case .refusing(let reason): ("refusing", reason)
      case .failed(let reason): ("failed", reason)
      }
    text.object("ledger") { text in
      text.add("durability", sources.node.durability)
      text.add("state", state)
      text.add("reason", reason)
      text.add("lag_seconds", ledger.lag.wholeSeconds)
      text.add("waiting", counters.waiting)
      text.add("commits", counters.commits)
      text.add(
        "failures", counters.commitsRefused + counters.commitsUnknown + counters.upkeepFailures)
      text.add("keys", counters.keys)
    }
  }

  private func addFleet(to text: inout JSONText) {
    guard let fleet = sources.fleet() else {
      text.add("redis", nil as String?)
      text.add("fleet", nil as String?)
      return
    }
    text.object("redis") { text in
      text.add("up", fleet.isUp)
      text.add("partitioned", fleet.isPartitioned)
      text.add("policy", fleet.policy.rawValue)
      text.add("partitioned_since_unix_ms", fleet.partitionedSince?.unixMilliseconds)
      text.add("failure", fleet.failure)
      text.add("last_pass_at_unix_ms", fleet.lastPassAt?.unixMilliseconds)
      text.add("lag_seconds", fleet.lag.wholeSeconds)
      text.add("eviction_unsafe", fleet.isEvictionUnsafe)
      text.object("passes") { text in
        text.add("ok", fleet.passesSucceeded)
        text.add("failed", fleet.passesFailed)
        text.add("skipped", fleet.passesSkipped)
        text.add("partial", fleet.passesPartial)
      }
      text.add("late_spend", fleet.lateSpend)
    }
    text.object("fleet") { text in text.add("nodes", fleet.nodes) }
  }
}

extension Duration {
  /// The duration in seconds, to the nanosecond.
  fileprivate var wholeSeconds: Double { Double(nanoseconds) / 1e9 }
}
