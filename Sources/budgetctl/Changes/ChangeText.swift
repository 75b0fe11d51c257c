import BudgetClient
import BudgetModel

/// A change in words, for whoever made it.
enum ChangeText {
  /// `provider openai per 1d: limit 150 until 2026-12-01T08:00:00Z (launch); it was limit 100`.
  static func line(_ change: BudgetOverride, before: String) -> String {
    var text = "\(target(change.target)): \(setting(change))"
    if let until = change.untilUnixMilliseconds.flatMap({ Timestamp(showable: $0) }) {
      text += " until \(until.iso8601)"
    }
    if !change.reason.isEmpty { text += " (\(change.reason.printable))" }
    return before.isEmpty ? text : text + "; it was \(before.printable)"
  }

  static func target(_ target: BudgetTarget) -> String {
    let scope = target.scope?.description ?? "unknown scope"
    let name = target.scope == .total ? scope : "\(scope) \(target.name.printable)"
    return target.window.isEmpty ? name : "\(name) per \(target.window.printable)"
  }

  static func setting(_ change: BudgetOverride) -> String {
    if change.isCleared { return "as configured" }
    if change.hasNoLimit { return "no limit" }
    if let limit = change.limitUSD { return "limit \(HumanText.money(limit))" }
    if let mode = change.mode { return mode.description }
    if let amount = change.resetToUSD { return "reset to \(HumanText.money(amount))" }
    return "changed"
  }
}
