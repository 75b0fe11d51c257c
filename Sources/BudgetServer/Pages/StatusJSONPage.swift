import BudgetEngine
import BudgetFleet
import BudgetModel
import HTTPPort
import SpendLedger
import TCPTransport

/// `/status.json`: what the status page shows.
final class StatusJSONPage: Sendable {
  private let sources: PageSources
  private let sampler: SpendSampling

  /// Denials in force that are listed; the rest is counted.
  private static let denialsListed = 100

  init(_ sources: PageSources, sampler: SpendSampling) {
    self.sources = sources
    self.sampler = sampler
  }

  func response(to query: StatusQuery) -> HTTPResponse {
    let now = sources.time.now()
    let catalog = sources.engine.catalog
    let reports = catalog.budgets.map { sources.engine.report(on: $0, at: now) }
    let ranked = Self.nearestFirst(reports)
    let points = sampler.points
    let totals = sources.requests.totals
    var text = JSONText(capacity: 4_096 + 640 * min(query.limit, reports.count))
    text.object { text in
      addNode(to: &text, at: now)
      let rate = { index in
        points.rate(
          ofSlot: Int(catalog.budgets[index].slot), charged: reports[index].charged, at: now)
      }
      StatusOutlook(reports, at: now, rate: rate).append(to: &text)
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
          StatusBudget(report: reports[index], rate: rate(index), now: now).append(to: &text)
        }
      }
      addDenials(ranked.lazy.map { reports[$0] }.filter(\.isExhausted), to: &text)
      addRequests(totals, points.requestsPerSecond(totals.requests, at: now), to: &text)
      addSpend(to: &text)
      addLedger(to: &text)
      addFleet(to: &text)
    }
    return HTTPResponse(
      contentType: "application/json; charset=utf-8", body: HTTPBody(text.bytes))
  }

  /// Positions, those nearest to their limit first; among equals as configured; then those that are
  /// meant to give nothing, and unlimited ones last.
  static func nearestFirst(_ reports: [BudgetReport]) -> [Int] {
    let ratios = reports.map { report in
      StatusBudget.isClosed(report) ? -1 : StatusBudget.usedRatio(report) ?? -2
    }
    return reports.indices.sorted { (ratios[$1], $0) < (ratios[$0], $1) }
  }

  private static func matches(_ report: BudgetReport, _ query: StatusQuery) -> Bool {
    if let scope = query.scope, scope != report.key.scope { return false }
    return query.text.isEmpty
      || report.key.name.lowercased().contains(query.text.lowercased())
  }

  private func addNode(to text: inout JSONText, at now: Timestamp) {
    let reasons = sources.readiness.reasons(at: now)
    let config = sources.config.last
    text.add("now", now)
    text.add("version", sources.identity.version)
    text.add("node_id", sources.identity.nodeID)
    text.add("started_at_unix_ms", sources.startedAt.unixMilliseconds)
    let uptime = now.unixMilliseconds - sources.startedAt.unixMilliseconds
    text.add("uptime_seconds", Double(uptime) / 1_000)
    text.add("ready", reasons.isEmpty)
    text.array("not_ready_reasons") { text in for reason in reasons { text.element(reason) } }
    text.array("warnings") { text in
      for warning in sources.readiness.warnings { text.element(warning) }
    }
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
    _ totals: RequestTotals, _ perSecond: Double?, to text: inout JSONText
  ) {
    text.object("rpc") { text in
      text.add("connections", sources.transport.counters.connectionsOpen)
      text.add("requests", totals.requests)
      text.add("requests_per_second", perSecond)
      text.object("denials") { text in
        for scope in BudgetScope.allCases {
          text.add(scope.description, totals.denials[Int(scope.rawValue) - 1])
        }
      }
    }
  }

  private func addSpend(to text: inout JSONText) {
    let ledger = sources.recorder.ledger.counters
    let totals = sources.recorder.totals
    text.object("spend") { text in
      text.add("recorded", totals.recorded)
      text.add("records", ledger.recorded)
      text.add("duplicates", ledger.duplicates + UInt64(totals.duplicatesAtOnce))
      text.add("refused", ledger.notRecorded + ledger.refusedAtQueue)
      text.add("unknown", ledger.unknown)
    }
  }

  private func addLedger(to text: inout JSONText) {
    let ledger = sources.recorder.ledger
    let counters = ledger.counters
    let (state, reason): (String, String?) =
      switch ledger.state {
      case .ready: ("ready", nil)
      case .refusing(let reason): ("refusing", reason)
      case .failed(let reason): ("failed", reason)
      }
    text.object("ledger") { text in
      text.add("durability", sources.durability.rawValue)
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
    guard let fleet = sources.readiness.fleet?.status else {
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
      }
      text.add("late_spend", fleet.lateSpend)
    }
    text.object("fleet") { text in text.add("nodes", fleet.nodes) }
  }
}
