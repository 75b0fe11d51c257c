import BudgetModel
import Documents

/// The keys that a mapping of the section `budgetd:` may have.
struct OwnKeys {
  /// The keys.
  let known: [String]
  /// Words that people write for them.
  let synonyms: [String: String]

  /// Of the section itself.
  static let section = OwnKeys(
    known: ["time_zone", "budgets", "dynamic_budgets_full", "alerts"],
    synonyms: [
      "tz": "time_zone", "zone": "time_zone", "limits": "budgets", "alerting": "alerts",
      "notifications": "alerts", "webhook": "alerts",
    ])

  /// Of `alerts`.
  static let alerts = OwnKeys(
    known: ["name", "thresholds", "runs_out_in", "dynamic_per_hour", "webhook"],
    synonyms: [
      "percent": "thresholds", "percents": "thresholds", "forecast": "runs_out_in",
      "runs_out": "runs_out_in", "webhook_url": "webhook", "url": "webhook", "fleet": "name",
      "slack": "webhook",
    ])

  /// Of a webhook.
  static let webhook = OwnKeys(
    known: ["url", "url_file", "form", "timeout", "ca_file"],
    synonyms: [
      "address": "url", "webhook_url": "url", "file": "url_file", "format": "form", "type": "form",
      "kind": "form", "ca": "ca_file", "cafile": "ca_file",
    ])

  /// Of one budget.
  static let budget = OwnKeys(
    known: [
      "provider", "deployment", "model", "pool", "tag", "total", "of", "limit", "window",
      "begins_on", "time_zone", "mode",
    ],
    synonyms: [
      "max_budget": "limit", "budget_limit": "limit", "budget": "limit", "amount": "limit",
      "max": "limit", "usd": "limit", "limit_usd": "limit", "time_period": "window",
      "budget_duration": "window", "period": "window", "duration": "window", "per": "window",
      "every": "window", "tz": "time_zone", "zone": "time_zone", "starts_on": "begins_on",
      "start": "begins_on", "begins": "begins_on", "first_day": "begins_on", "day": "begins_on",
      "model_name": "model", "model_group": "model", "deployment_id": "deployment",
      "id": "deployment",
      "members": "of", "all": "total", "global": "total", "everything": "total",
      "enforcement": "mode", "action": "mode",
    ])

  /// Of a pool's members.
  static let members = OwnKeys(
    known: ["providers", "models", "deployments"],
    synonyms: ["model_names": "models", "deployment_ids": "deployments", "ids": "deployments"])

  /// Refuses keys that nearly are known ones, and warns of all others, which say nothing here.
  func judge(_ mapping: DocumentMapping, at path: String, _ findings: inout Findings) {
    findings.refuseRepetitions(of: known, in: mapping, at: path)
    for entry in mapping.entries {
      let place = "\(path).\(entry.key.pathSegment)"
      guard let key = entry.key.text else {
        findings.log.add(entry.key, place, "this key is \(entry.key.words), not a text: quote it")
        continue
      }
      guard !known.contains(key) else { continue }
      let plain = key.lowercased().replacing("-", with: "_")
      if let meant = synonyms[plain] ?? Spelling.nearest(to: key, among: known) {
        findings.log.add(
          entry.key, place,
          "unknown spelling \(DocumentProblem.quoted(key)): did you mean \(meant)?")
      } else {
        findings.warnings.add(
          entry.key, place,
          "unknown key \(DocumentProblem.quoted(key)), nothing of it is read: the keys here are "
            + known.joined(separator: ", "))
      }
    }
  }

  /// The first key that says nothing here, and may have been meant to say something.
  func stranger(in mapping: DocumentMapping) -> DocumentNode? {
    mapping.entries.first { entry in
      entry.key.text.map { !known.contains($0) } ?? false && !entry.value.isNull
    }?.key
  }
}
