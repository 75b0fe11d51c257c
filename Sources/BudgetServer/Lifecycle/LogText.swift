import BudgetEngine
import BudgetModel
import LiteLLMConfig
import Logging

/// The lines that a load and a reload leave in the log.
enum LogText {
  /// `3 provider, 2 deployment and 0 tag budgets; 12 deployments in the model list`.
  static func summary(of config: LiteLLMConfig) -> String {
    let budgets = config.budgets
    func count(_ scope: BudgetScope) -> Int {
      budgets.budgets.count { $0.key.scope == scope }
    }
    // LiteLLM's scopes always; the others where there are budgets of theirs.
    var others = ""
    for scope in [BudgetScope.model, .pool, .total] where count(scope) > 0 {
      others += ", \(count(scope)) \(scope)"
    }
    if !budgets.patterns.isEmpty { others += ", \(budgets.patterns.count) pattern" }
    return
      "\(count(.provider)) provider, \(count(.deployment)) deployment and \(count(.tag)) tag "
      + "budgets\(others.isEmpty ? "" : " and" + others.dropFirst()); "
      + "\(budgets.deployments.count) deployments in the model list"
      + (config.waitingBudgets.isEmpty
        ? "" : "; \(waiting(config.waitingBudgets.count)) deployment's id")
  }

  /// `1 budget waits for its`, `2 budgets wait for their`.
  private static func waiting(_ count: Int) -> String {
    counted(count, "budget") + (count == 1 ? " waits for its" : " wait for their")
  }

  /// `1 budget`, `2 budgets`.
  static func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)" + (count == 1 ? "" : "s")
  }

  /// The changes of a reload: a line for each kind of change, and one for each window that went on
  /// or was closed, with its spend.
  static func write(_ report: ReloadReport, to log: Logger) {
    func names(_ what: String, _ keys: [BudgetKey]) {
      guard !keys.isEmpty else { return }
      let shown = keys.prefix(namesShown).map(\.description).joined(separator: ", ")
      let more = keys.count > namesShown ? " and \(keys.count - namesShown) more" : ""
      log.info("\(what) \(counted(keys.count, "budget")): \(shown)\(more)")
    }
    names("added", report.added)
    names("removed", report.removed)
    names("changed the limit of", report.relimited)
    names("changed the mode of", report.remoded)
    if !report.recalendared.isEmpty {
      let shown = report.recalendared.prefix(namesShown).map(\.description).joined(separator: ", ")
      log.warning(
        """
        another time zone or first day for \(report.recalendared.count) budgets: their open windows \
        end as they were opened, the next ones begin by the new calendar: \(shown)
        """)
    }
    writeWindows(report, to: log)
  }

  /// The windows that went on under another text, or were closed.
  static func writeWindows(_ report: ReloadReport, to log: Logger) {
    for change in report.renamed {
      log.info(
        "\(change.from) is now per \(change.to.windowText): \(window(change, ends: "goes on"))")
    }
    for change in report.closed {
      log.warning(
        "\(change.from) is now per \(change.to.windowText): \(window(change, ends: "was closed"))")
    }
  }

  /// How many names a line lists before it counts the rest.
  private static let namesShown = 20

  private static func window(_ change: ReloadReport.Change, ends: String) -> String {
    guard let spend = change.spend, let resetsAt = change.resetsAt else {
      return "no window was open"
    }
    return "its window with $\(spend.exactText) spent, due to end at \(resetsAt.iso8601), \(ends)"
  }
}
