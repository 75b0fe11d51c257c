import BudgetFleet
import BudgetModel
import HTTPPort
import Locks
import PrometheusText
import SpendLedger

/// `/metrics`: rendered whole, from short looks at one thing after another.
final class MetricsPage: Sendable {
  let sources: PageSources
  let pages: PageCounts
  let labels = BudgetLabels()
  /// How long the last text was: room for the next.
  private let lastLength = Locked(16 * 1_024)

  init(_ sources: PageSources, pages: PageCounts) {
    self.sources = sources
    self.pages = pages
  }

  func response() -> HTTPResponse {
    var text = MetricsText(capacity: lastLength.withLock { $0 } * 9 / 8)
    let now = sources.time.now()
    addBudgets(to: &text, at: now)
    let requests = sources.requests()
    let ledger = sources.ledger(now)
    addRequests(requests, refusedAtQueue: ledger.counters.refusedAtQueue, to: &text)
    addSpend(ledger, unbudgetedRecords: requests.unbudgetedRecords, to: &text)
    let fleet = sources.fleet()
    addReservations(deferred: fleet?.waiting.entered, to: &text)
    if let fleet { ClaimMetrics(fleet).add(to: &text) }
    addLedger(ledger, to: &text)
    if let fleet { addFleet(fleet, to: &text) }
    sources.alerts().write(to: &text)
    if let trace = sources.trace() { addTrace(trace, to: &text) }
    let security = sources.security()
    addCertificates(security, fleet, to: &text)
    if let security { addSecurity(security, to: &text) }
    addNode(to: &text, at: now)
    addProcess(to: &text)
    lastLength.withLock { $0 = text.bytes.count }
    return HTTPResponse(contentType: MetricsText.contentType, body: HTTPBody(text.bytes))
  }
}
