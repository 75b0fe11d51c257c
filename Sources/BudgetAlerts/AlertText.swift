public import BudgetModel
import JSONWriting

/// A message to a webhook.
public struct AlertMessage: Hashable, Sendable {
  /// The alert's id.
  public var id: String
  /// The body, JSON.
  public var body: [UInt8]

  /// The message about an alert that the node of that name sends.
  public init(_ alert: BudgetAlert, by node: String, as form: AlertWebhook.Form) {
    id = alert.id
    let text = alert.text
    switch form {
    case .slack: body = Self.slack(text)
    case .json:
      let fields = alert.fields
      body = Self.json { json in
        json.add("id", alert.id)
        json.add("event", alert.event)
        json.add("text", text)
        json.add("fleet", alert.fleet)
        json.add("node", node)
        fields(&json)
      }
    }
  }

  /// A message that is only a try, of the fleet of that name.
  public init(testOf fleet: String, id: String, by node: String, as form: AlertWebhook.Form) {
    self.id = id
    let text = "\(fleet): this is a test of budgetd's alerts, no budget has changed"
    switch form {
    case .slack: body = Self.slack(text)
    case .json:
      body = Self.json { json in
        json.add("id", id)
        json.add("event", "test")
        json.add("text", text)
        json.add("fleet", fleet)
        json.add("node", node)
      }
    }
  }

  private static func json(_ members: (inout JSONText) -> Void) -> [UInt8] {
    var json = JSONText(style: .page)
    json.object(nil, members)
    return json.bytes
  }

  /// Slack reads three characters as markup, whoever chose the name that has them.
  private static func slack(_ text: String) -> [UInt8] {
    let plain = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      .replacing(">", with: "&gt;")
    return json { $0.add("text", plain) }
  }
}

extension BudgetAlert {
  /// The word that programs tell alerts apart by.
  var event: String {
    switch kind {
    case .reached: "budget_threshold"
    case .runsOut: "budget_runs_out"
    }
  }

  fileprivate var fields: (inout JSONText) -> Void {
    { json in
      let key = budget.key
      json.add("scope", key.scope.description)
      json.add("name", key.name)
      json.add("window", key.windowText)
      if case .reached(let percent) = kind { json.add("threshold_percent", percent) }
      json.add("spend", budget.spend)
      json.add("limit", budget.limit)
      json.add("remaining", budget.limit - budget.spend)
      json.add("percent", budget.percent)
      json.add("mode", budget.mode.description)
      json.add("is_dynamic", budget.isDynamic)
      json.add("window_started_at", budget.window.start.iso8601)
      json.add("resets_at", budget.resetsAt.iso8601)
      json.add("runs_out_at", budget.runsOutAt?.iso8601)
      json.add("seen_at", seenAt.iso8601)
    }
  }

  /// One line for people.
  public var text: String {
    let budget = budget
    let beginning = "\(fleet): \(budget.key)"
    let spent = "\(budget.spend.inCents) of \(budget.limit.inCents) are spent"
    let reset = "it begins again at \(budget.resetsAt.inMinutes)"
    switch kind {
    case .runsOut:
      let end = budget.runsOutAt.map { " at about \($0.inMinutes)" } ?? ""
      return "\(beginning) will be spent\(end) at its present rate: \(spent), \(reset)"
    case .reached(let percent) where percent >= 100 && budget.mode == .enforce:
      return "\(beginning) is spent, requests are denied: \(spent), \(reset)"
    case .reached:
      let part = budget.percent.map { "is at \($0) %" } ?? "is over its limit"
      let mode =
        switch budget.mode {
        case .enforce: ""
        case .shadow: ", it only watches"
        case .freeze: ", it is frozen"
        }
      return "\(beginning) \(part)\(mode): \(spent), \(reset)"
    }
  }
}

extension AlertReading {
  /// When its window ends: a calendar's in the millisecond before the next one begins, which is told.
  var resetsAt: Timestamp {
    let next = window.end.unixMilliseconds + 1
    return next % 1_000 == 0 ? Timestamp(unixMilliseconds: next) : window.end
  }
}

extension PicoUSD {
  /// `$81.20`; below a cent exactly.
  fileprivate var inCents: String {
    let perCent = Self.picoPerDollar / 100
    guard pico == 0 || pico >= perCent else { return "$\(exactText)" }
    let (dollars, cents) = (pico / perCent).quotientAndRemainder(dividingBy: 100)
    return "$\(dollars).\(cents < 10 ? "0" : "")\(cents)"
  }
}

extension Timestamp {
  /// `2026-11-28 14:05 UTC`.
  fileprivate var inMinutes: String {
    let text = iso8601
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
  }
}
