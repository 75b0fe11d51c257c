import BudgetModel

/// Reads one configuration from its document: what is accepted, and all that is wrong.
struct ConfigReader {
  let environment: EnvironmentReferences
  let directory: ProviderDirectory
  let redis: RedisChoice
  var log: ProblemLog
  var warnings: ProblemLog

  var providerBudgets: [BudgetDefinition] = []
  var deploymentBudgets: [BudgetDefinition] = []
  var tagBudgets: [BudgetDefinition] = []
  var deployments: [ConfiguredDeployment] = []
  /// The budgeted names of providers, where they stand.
  var providerKeys: [ConfigNode] = []
  /// What the keys of deployments' parameters misspell, nil for most: looked up once each.
  var misspelled: [String: String?] = [:]
  /// Where the model list starts.
  var modelListLine = 1
  /// Budgets of deployments by id, with the line of the first entry that has them.
  var deploymentTerms: [ConfigNode.Value: (terms: BudgetTerms, line: Int)] = [:]

  init(
    file: String, environment: [String: String], directory: ProviderDirectory, redis: RedisChoice
  ) {
    self.redis = redis
    self.environment = EnvironmentReferences(environment: environment)
    self.directory = directory
    log = ProblemLog(file: file)
    warnings = ProblemLog(file: file)
  }

  /// Where a document has its parts.
  enum Layout {
    /// LiteLLM's `config.yaml`.
    case file
    /// The `config` object of a trace.
    case trace

    var providerBudgets: [String] {
      self == .file
        ? ["router_settings", "provider_budget_config"] : ["provider_budget_config"]
    }

    var tagBudgets: [String] {
      self == .file ? ["litellm_settings", "tag_budget_config"] : ["tag_budget_config"]
    }
  }

  /// The accepted configuration. Throws everything that is wrong.
  mutating func read(_ root: ConfigNode, layout: Layout) throws(ConfigError) -> LiteLLMConfig {
    guard let sections = root.mapping else {
      let found = root.isNull ? "empty" : root.words
      log.add(root, "", "the configuration is \(found): it has to be a mapping")
      throw ConfigError(problems: log.sorted())
    }
    refuseRepetitions(
      of: layout == .file ? Self.fileSections : Self.traceSections, in: sections, at: "")
    if layout == .file { refuseMisplaced(sections) }
    if let entries = budgetMapping(sections, at: layout.providerBudgets) {
      readNamedBudgets(
        entries, scope: .provider, path: layout.providerBudgets.joined(separator: "."))
    }
    if let models = section(sections, "model_list", path: "model_list") {
      readModelList(models)
    }
    if let entries = budgetMapping(sections, at: layout.tagBudgets) {
      readNamedBudgets(entries, scope: .tag, path: layout.tagBudgets.joined(separator: "."))
    }
    let redis = redisSource(sections)
    guard log.isEmpty else { throw ConfigError(problems: log.sorted()) }
    warnOfUnknownProviders(path: layout.providerBudgets.joined(separator: "."))
    warnOfLargeGroups()
    return LiteLLMConfig(
      budgets: BudgetConfiguration(
        budgets: providerBudgets + deploymentBudgets + tagBudgets, deployments: deployments,
        directory: directory),
      redis: redis, warnings: warnings.sorted())
  }

  private static let fileSections = ["router_settings", "model_list", "litellm_settings"]
  private static let traceSections = ["provider_budget_config", "model_list", "tag_budget_config"]

  /// A section's value; nil where it is absent or null.
  private mutating func section(
    _ mapping: ConfigMapping, _ key: String, path: String
  ) -> ConfigNode? {
    guard let node = mapping[key] else { return nil }
    var unset: [String] = []
    // A text that names a variable gives a text or nothing, never a section.
    if let text = node.text, environment.value(of: text, unset: &unset) != nil {
      log.add(node, path, "a section cannot come from the environment: write it here")
      return nil
    }
    return node.isNull ? nil : node
  }

  /// The mapping of budgets at the end of `path`; nil where there is none.
  private mutating func budgetMapping(
    _ sections: ConfigMapping, at path: [String]
  ) -> ConfigMapping? {
    var mapping = sections
    var walked: [String] = []
    for key in path {
      walked.append(key)
      let place = walked.joined(separator: ".")
      if walked.count > 1 {
        refuseRepetitions(of: [key], in: mapping, at: walked.dropLast().joined(separator: "."))
      }
      guard let node = section(mapping, key, path: place) else { return nil }
      guard let next = node.mapping else {
        let what = key == path.last ? "a mapping of names to budgets" : "a mapping"
        log.add(node, place, "this is \(node.words): it has to be \(what)")
        return nil
      }
      mapping = next
    }
    return mapping
  }

  /// A section that stands there twice: only the last one would count.
  mutating func refuseRepetitions(of keys: [String], in mapping: ConfigMapping, at path: String) {
    for key in mapping.repetitions {
      guard let text = key.text, keys.contains(text) else { continue }
      let place = path.isEmpty ? text : "\(path).\(text)"
      log.add(
        key, place,
        "'\(text)' stands here a second time, and only the last one would count: "
          + "join them")
    }
  }

  /// Budgets in a place where LiteLLM never looks, and files that are not read here.
  private mutating func refuseMisplaced(_ sections: ConfigMapping) {
    let homes = [
      "provider_budget_config": "router_settings", "tag_budget_config": "litellm_settings",
    ]
    for (key, home) in homes {
      for entry in sections.entries {
        guard let section = entry.key.text else { continue }
        if section == key {
          log.add(entry.key, key, "LiteLLM looks for this under \(home) only: move it there")
        } else if section != home, let found = Self.key(key, in: entry.value) {
          log.add(
            found, "\(section).\(key)", "LiteLLM looks for this under \(home) only: move it there")
        }
      }
    }
    if let include = sections["include"], !include.isNull, include.sequence?.isEmpty != true {
      log.add(
        include, "include",
        "included files are not read, and their budgets would be missing: put them into this file")
    }
  }

  private static func key(_ key: String, in section: ConfigNode) -> ConfigNode? {
    section.mapping?.entries.first { $0.key.text == key }?.key
  }
}
