import BudgetEngine
import BudgetModel
import HTTPPort
import JSONWriting
import SpendLedger

/// `/history.json`: the last ended windows of the budgets that the status page shows first.
final class HistoryJSONPage: Sendable {
  private let sources: PageSources

  /// Budgets whose windows are told, the nearest to their limits.
  static let budgetsShown = 100
  /// So many windows of each that ended.
  static let windowsShown = 13

  init(_ sources: PageSources) { self.sources = sources }

  func response(to query: StatusQuery) -> HTTPResponse {
    let now = sources.time.now()
    let reports = sources.engine.catalog.budgets.map { sources.engine.report(on: $0, at: now) }
    let shown = StatusJSONPage.nearestFirst(reports).map { reports[$0] }
      .filter { StatusJSONPage.matches($0, query) }
      .prefix(min(query.limit, Self.budgetsShown))
    // The open window is among the newest.
    let answers = sources.history(
      shown.map { HistoryQuestion($0.key, count: Self.windowsShown + 1) })
    guard let answers, answers.count == shown.count else {
      return .text("the ledger does not answer", status: .serviceUnavailable)
    }
    var text = JSONText(capacity: 1_024 * (1 + shown.count))
    text.object { text in
      text.add("now_unix_ms", now.unixMilliseconds)
      text.array("budgets") { text in
        for (report, windows) in zip(shown, answers) {
          let ended = windows.filter { $0.window.end < now }.prefix(Self.windowsShown)
          Self.append(report.key, ended.reversed(), to: &text)
        }
      }
    }
    return HTTPResponse(
      contentType: "application/json; charset=utf-8", body: HTTPBody(text.bytes))
  }

  /// The oldest window first.
  private static func append(
    _ key: BudgetKey, _ windows: some Sequence<PastWindow>, to text: inout JSONText
  ) {
    text.object { text in
      text.add("scope", key.scope.description)
      text.add("name", key.name)
      text.add("window", key.windowText)
      text.array("windows") { text in
        for window in windows {
          text.object { text in
            text.add("start_unix_ms", window.window.start.unixMilliseconds)
            text.add("end_unix_ms", window.window.end.unixMilliseconds)
            text.add("spend", window.spend)
            text.add("fleet", window.others != nil)
            if case .limit(let limit) = window.limit {
              text.add("limit", limit)
            } else {
              text.add("limit", nil as PicoUSD?)
            }
          }
        }
      }
    }
  }
}
