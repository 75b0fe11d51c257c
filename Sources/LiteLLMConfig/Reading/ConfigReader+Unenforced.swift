import BudgetModel
import Documents

// Budgets of LiteLLM's that budgetd does not enforce, and names that it cannot resolve: a line each.

extension ConfigReader {
  /// By the place of a budget: who enforces it.
  private static let elsewhere: [String: String] = [
    "litellm_settings.max_budget":
      "the limit on everything is LiteLLM's proxy's own; here a budget for each provider comes nearest",
    "general_settings.max_budget":
      "LiteLLM reads the limit on everything under litellm_settings; here a budget for each provider "
      + "comes nearest",
    "litellm_settings.max_end_user_budget":
      "budgets of end users are LiteLLM's proxy's own; here a tag for each user comes nearest",
    "litellm_settings.max_end_user_budget_id":
      "budgets of end users are LiteLLM's proxy's own; here a tag for each user comes nearest",
    "litellm_settings.max_internal_user_budget":
      "budgets of internal users are LiteLLM's proxy's own, with its database; here a tag for each user "
      + "comes nearest",
    "litellm_settings.max_ui_session_budget": "budgets of the admin page are LiteLLM's proxy's own",
    "litellm_settings.default_internal_user_params":
      "budgets of internal users are LiteLLM's proxy's own, with its database; here a tag for each user "
      + "comes nearest",
    "litellm_settings.upperbound_key_generate_params":
      "budgets of keys are LiteLLM's proxy's own, with its database; here a tag for each key comes "
      + "nearest",
    "litellm_settings.default_key_generate_params":
      "budgets of keys are LiteLLM's proxy's own, with its database; here a tag for each key comes "
      + "nearest",
    "litellm_settings.default_team_settings":
      "budgets of teams are LiteLLM's proxy's own, with its database; here a tag for each team comes "
      + "nearest",
    "litellm_settings.default_team_params":
      "budgets of teams are LiteLLM's proxy's own, with its database; here a tag for each team comes "
      + "nearest",
  ]

  /// How deep a setting is looked through for limits.
  private static let depth = 6

  /// One line for each setting with limits that nobody enforces here, and one for names.
  mutating func warnOfUnenforced(_ sections: DocumentMapping) {
    for section in ["general_settings", "litellm_settings", "router_settings"] {
      for entry in sections[section]?.mapping?.entries ?? [] {
        warnOfLimit(entry, section: section)
      }
    }
    warnOfWildcards()
    warnOfAliases(sections)
  }

  private mutating func warnOfLimit(_ entry: DocumentMapping.Entry, section: String) {
    guard let key = entry.key.text else { return }
    let path = "\(section).\(entry.key.pathSegment)"
    switch path {
    case "router_settings.provider_budget_config", "litellm_settings.tag_budget_config",
      "general_settings.coordination_redis", "litellm_settings.cache_params":
      return
    default: break
    }
    guard !nearBudgets.contains(path) else { return }
    let isLimit = Self.isLimit(key) && Self.isAmount(entry.value)
    guard isLimit || Self.holdsLimit(entry.value, depth: Self.depth) else { return }
    let way =
      Self.elsewhere[path]
      ?? "budgetd knows budgets of providers, deployments and tags; this one is "
      + "LiteLLM's proxy's own"
    warnings.add(entry.key, path, "not enforced here: \(way)")
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

  /// Public names that stand for many: a filter by name takes them as they are written.
  private mutating func warnOfWildcards() {
    var names: [String] = []
    var seen: Set<ExactText> = []
    for deployment in deployments where deployment.modelName.utf8.contains(UInt8(ascii: "*")) {
      guard seen.insert(ExactText(deployment.modelName)).inserted else { continue }
      names.append(DocumentProblem.quoted(deployment.modelName))
    }
    guard !names.isEmpty else { return }
    warnings.add(
      line: modelListLine, "model_list",
      "FilterDeployments finds \(SectionLosses.words(names)) by that very name only, and no model that "
        + "it stands for: such requests have to list their deployments")
  }

  /// Aliases of public names, which a filter by name does not know.
  private mutating func warnOfAliases(_ sections: DocumentMapping) {
    let path = "router_settings.model_group_alias"
    guard let node = sections["router_settings"]?["model_group_alias"], let mapping = node.mapping
    else { return }
    let known = Set(deployments.lazy.map { ExactText($0.modelName) })
    let names = mapping.entries.compactMap(\.key.text).filter { !known.contains(ExactText($0)) }
    guard !names.isEmpty else { return }
    warnings.add(
      node, path,
      "FilterDeployments by name does not find the aliases "
        + "\(SectionLosses.words(names.map(DocumentProblem.quoted))): ask by the name that each stands "
        + "for, or list the deployments")
  }
}
