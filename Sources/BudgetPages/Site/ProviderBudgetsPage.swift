import BudgetEngine
import BudgetModel
import HTTPPort
import JSONWriting

/// `/provider/budgets`, as LiteLLM's proxy answers it: providers only, in the configuration's
/// order, numbers as Python writes them.
enum ProviderBudgetsPage {
  private static let contentType = "application/json"

  static func response(_ sources: PageSources) -> HTTPResponse {
    let catalog = sources.engine.catalog
    let now = sources.time.now()
    let reports = catalog.budgets(.provider).map { sources.engine.report(on: $0, at: now) }
      .filter { $0.origin == .liteLLM }
    return response(to: reports)
  }

  static func response(to reports: [BudgetReport]) -> HTTPResponse {
    guard !reports.isEmpty else {
      return HTTPResponse(
        status: .internalServerError, contentType: contentType, body: HTTPBody(noConfig))
    }
    var text = JSONText(capacity: 160 * reports.count)
    text.object { text in
      text.object("providers") { text in
        for report in reports {
          text.object(report.key.name) { text in
            text.add("budget_limit", report.limit?.dollars)
            text.add("time_period", report.key.windowText)
            text.add("spend", report.spend.dollars)
            text.add("budget_reset_at", report.resetsAt?.pythonISOFormat)
          }
        }
      }
    }
    return HTTPResponse(contentType: contentType, body: HTTPBody(text.bytes))
  }

  /// LiteLLM's answer without `provider_budget_config`.
  private static let noConfig = Array(
    """
    {"error":{"message":"No provider budget config found. Please set a provider budget config in the \
    router settings. https://docs.litellm.ai/docs/proxy/provider_budget_routing",\
    "type":"internal_server_error","param":null,"code":"500"}}
    """.utf8)
}
