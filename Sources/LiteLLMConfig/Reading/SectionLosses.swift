import Documents

/// Losses where one value takes the place of another: a section stands there twice, or an included
/// file has it too.
struct SectionLosses {
  /// Budgets, and the Redis that they are shared through, by their key paths.
  private(set) var grave: [String] = []
  /// The rest.
  private(set) var others: [String] = []

  /// Settings that name a Redis.
  private static let graveKeys: Set<String> = [
    "router_settings.redis_url", "router_settings.redis_host", "router_settings.redis_port",
    "router_settings.redis_password", "router_settings.redis_db", "router_settings.cache_kwargs",
    "general_settings.coordination_redis",
  ]

  /// Compares `old` with what counts in its place. `section` is the key path of both. A value that
  /// is in both under one name is not a loss, whatever it says, unless `sameName` says otherwise.
  init(
    of old: DocumentNode, replacedBy new: DocumentNode, section: String, sameName: Bool = false
  ) {
    guard old != new else { return }
    var seen: Set<String> = []
    let hasRedis = new["redis_url"] != nil || new["redis_host"] != nil
    let kept = Dictionary(Self.items(of: new, at: section).map { ($0.name, $0) }) { $1 }
    for item in Self.items(of: old, at: section) {
      if let other = kept[item.name], !(sameName && item.isGrave && other.value != item.value) {
        continue
      }
      guard seen.insert(item.name).inserted else { continue }
      // Another Redis in the place of one is a change of it, not its loss.
      let isReplaced = hasRedis && item.name.hasPrefix("router_settings.redis_")
      if item.isGrave, !isReplaced {
        grave.append(item.name)
      } else {
        others.append(item.name)
      }
    }
  }

  /// `a`, `a and b`, `a, b and 7 more`.
  static func words(_ names: [String]) -> String {
    let shown = names.prefix(3).joined(separator: ", ")
    return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
  }

  private struct Item {
    var name: String
    var value: DocumentNode
    var isGrave: Bool
  }

  private static func items(of node: DocumentNode, at path: String) -> [Item] {
    if path == "model_list" { return deployments(node) }
    guard let mapping = node.mapping else {
      return node.isNull ? [] : [Item(name: path, value: node, isGrave: isBudget(path))]
    }
    return mapping.entries.flatMap { entry -> [Item] in
      let name = "\(path).\(entry.key.pathSegment)"
      switch name {
      case "router_settings.provider_budget_config", "litellm_settings.tag_budget_config",
        "budgetd.budgets":
        return entry.value.mapping == nil
          ? [Item(name: name, value: entry.value, isGrave: !entry.value.isNull)]
          : items(of: entry.value, at: name)
      default:
        let isGrave =
          isBudget(path) || isBudget(name) || graveKeys.contains(name)
          || name == "litellm_settings.cache_params" && isRedis(entry.value)
          || totalKeys.contains(name) && hasTotal(mapping)
          || path == "environment_variables" && (entry.key.text ?? "").hasPrefix("REDIS_")
        return [Item(name: name, value: entry.value, isGrave: isGrave && !entry.value.isNull)]
      }
    }
  }

  /// Whether the parameters of a response cache are those of a plain Redis.
  private static func isRedis(_ parameters: DocumentNode) -> Bool {
    parameters["type"].map { $0.text == "redis" } ?? (parameters.mapping != nil)
  }

  private static let totalKeys = [
    "litellm_settings.max_budget", "litellm_settings.budget_duration",
  ]

  /// Whether the settings limit everything: a limit that is not 0, over a window.
  private static func hasTotal(_ settings: DocumentMapping) -> Bool {
    guard let limit = settings["max_budget"], !limit.isNull,
      let window = settings["budget_duration"], !window.isNull
    else { return false }
    return (limit.number ?? limit.text.flatMap(PythonNumber.float)).map { $0 > 0 } ?? true
  }

  private static func isBudget(_ path: String) -> Bool {
    path == "router_settings.provider_budget_config" || path == "provider_budget_config"
      || path == "litellm_settings.tag_budget_config" || path == "tag_budget_config"
      || path.hasSuffix("litellm_params.max_budget")
      || path.hasSuffix("litellm_params.budget_duration")
  }

  /// The deployments of a model list, by their place in words.
  private static func deployments(_ node: DocumentNode) -> [Item] {
    (node.sequence ?? []).map { entry in
      let name = entry["model_name"]?.pythonText ?? "a deployment"
      let model = entry["litellm_params"]?["model"]?.pythonText ?? "no model"
      let hasBudget = entry["litellm_params"]?["max_budget"].map { !$0.isNull } ?? false
      return Item(
        name: "the deployment \(DocumentProblem.plain(name)) (\(DocumentProblem.plain(model)))",
        value: entry, isGrave: hasBudget)
    }
  }
}
