import BudgetModel
import Documents

// Budgets of LiteLLM's that budgetd does not enforce: a line each.

extension ConfigReader {
  /// Whose budgets a setting is for, and the tag that would stand for them here.
  private static let elsewhere: [String: (whose: String, tag: String)] = [
    "litellm_settings.max_end_user_budget": ("end users", "user:*"),
    "litellm_settings.max_end_user_budget_id": ("end users", "user:*"),
    "litellm_settings.max_internal_user_budget": ("internal users", "user:*"),
    "litellm_settings.default_max_internal_user_budget": ("internal users", "user:*"),
    "litellm_settings.default_internal_user_params": ("internal users", "user:*"),
    "litellm_settings.upperbound_key_generate_params": ("keys", "key:*"),
    "litellm_settings.default_key_generate_params": ("keys", "key:*"),
    "litellm_settings.default_team_settings": ("teams", "team:*"),
    "litellm_settings.default_team_params": ("teams", "team:*"),
  ]

  /// The way to have it here.
  private static func way(_ path: String, _ key: String) -> String {
    if path == "general_settings.max_budget" {
      return "LiteLLM reads the limit on everything under litellm_settings: write it there, with a "
        + "budget_duration beside it"
    }
    if path == "litellm_settings.max_ui_session_budget" {
      return "budgets of the admin page are LiteLLM's proxy's own"
    }
    if key == "model_max_budget" {
      return
        "budgets of a key's models are LiteLLM's proxy's own; here {model: NAME, limit: 5, window: "
        + "day} in the section budgetd limits a model, for all keys together"
    }
    let (whose, tag) = elsewhere[path] ?? ("this kind", "key:*")
    return
      "budgets of \(whose) are LiteLLM's proxy's own; here {tag: '\(tag)', limit: 5, window: day} "
      + "in the section budgetd gives each of them one, where requests carry such tags"
  }

  /// How deep a setting is looked through for limits.
  private static let depth = 6

  /// One line for each setting with limits that nobody enforces here.
  mutating func warnOfUnenforced(_ sections: DocumentMapping) {
    for section in ["general_settings", "litellm_settings", "router_settings"] {
      for entry in sections[section]?.mapping?.entries ?? [] {
        warnOfLimit(entry, section: section)
      }
    }
  }

  private mutating func warnOfLimit(_ entry: DocumentMapping.Entry, section: String) {
    guard let key = entry.key.text else { return }
    let path = "\(section).\(entry.key.pathSegment)"
    switch path {
    case "router_settings.provider_budget_config", "litellm_settings.tag_budget_config",
      "general_settings.coordination_redis", "litellm_settings.cache_params",
      "litellm_settings.max_budget":
      return
    default: break
    }
    guard !nearBudgets.contains(path) else { return }
    let isLimit = Self.isLimit(key) && Self.isAmount(entry.value)
    guard isLimit || Self.holdsLimit(entry.value, depth: Self.depth) else { return }
    warnings.add(entry.key, path, "not enforced here: \(Self.way(path, key))")
  }

  private static func isLimit(_ key: String) -> Bool {
    key == "max_budget" || key == "budget_limit" || key == "soft_budget"
      || key.hasSuffix("_max_budget") || key.hasPrefix("max_") && key.hasSuffix("_budget")
      || key.hasPrefix("max_") && key.hasSuffix("_budget_id")
  }

  private static func isAmount(_ node: DocumentNode) -> Bool {
    switch node.value {
    case .null, .bool: false
    default: true
    }
  }

  private static func holdsLimit(_ node: DocumentNode, depth: Int) -> Bool {
    guard depth > 0 else { return false }
    switch node.value {
    case .mapping(let mapping):
      return mapping.entries.contains { entry in
        entry.key.text.map(isLimit) ?? false && isAmount(entry.value)
          || holdsLimit(entry.value, depth: depth - 1)
      }
    case .sequence(let nodes): return nodes.contains { holdsLimit($0, depth: depth - 1) }
    default: return false
    }
  }
}
