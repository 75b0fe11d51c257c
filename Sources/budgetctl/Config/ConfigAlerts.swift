import BudgetModel
import JSONWriting

/// The alerts of a config as people and machines read them; never the webhook's address.
struct ConfigAlerts {
  let settings: AlertSettings

  /// One line for each part.
  var lines: [String] {
    let rules = settings.rules
    var when: [String] = []
    if !rules.thresholds.isEmpty {
      when.append("at " + rules.thresholds.map { "\($0) %" }.joined(separator: ", "))
    }
    if let time = rules.runsOutInMilliseconds {
      when.append("\(Self.words(seconds: time / 1_000)) before the money is gone")
    }
    return [
      "Alerts of '\(settings.name)': "
        + (when.isEmpty ? "never" : when.joined(separator: "; "))
        + ", once for each budget and window",
      "Webhook: \(settings.webhook.form.rawValue), \(address); up to "
        + Self.words(seconds: settings.webhook.timeoutMilliseconds / 1_000)
        + " to answer; certificates of \(settings.webhook.authorities ?? "the system's authorities")",
    ]
  }

  private var address: String {
    switch settings.webhook.address {
    case .given(let url, let variable):
      "\(url.isEncrypted ? "https" : "http, not encrypted"), address hidden"
        + (variable.map { ", from the variable \($0)" } ?? "")
    case .file(let path): "address in \(path)"
    }
  }

  private static func words(seconds: Int64) -> String {
    for (unit, size) in [("d", Int64(86_400)), ("h", 3_600), ("min", 60)]
    where seconds >= size && seconds % size == 0 {
      return "\(seconds / size) \(unit)"
    }
    return "\(seconds) s"
  }

  /// As an object.
  var json: JSONValue {
    let webhook = settings.webhook
    var (variable, file) = (JSONValue.null, JSONValue.null)
    switch webhook.address {
    case .given(_, let name): if let name { variable = .string(name) }
    case .file(let path): file = .string(path)
    }
    return .object([
      ("name", .string(settings.name)),
      ("thresholds_percent", .array(settings.rules.thresholds.map(JSONValue.integer))),
      (
        "runs_out_in_seconds",
        settings.rules.runsOutInMilliseconds.map { .integer(Int($0 / 1_000)) } ?? .null
      ),
      ("dynamic_per_hour", .integer(settings.rules.dynamicPerHour)),
      (
        "webhook",
        .object([
          ("form", .string(webhook.form.rawValue)), ("url_variable", variable),
          ("url_file", file),
          ("timeout_seconds", .number(Double(webhook.timeoutMilliseconds) / 1e3)),
          ("ca_file", webhook.authorities.map(JSONValue.string) ?? .null),
        ])
      ),
    ])
  }
}
