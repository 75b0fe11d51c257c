import BudgetModel
import Documents

/// Reads one configuration from its document: what is accepted, and all that is wrong.
struct ConfigReader {
  var environment: EnvironmentReferences
  var directory: ProviderDirectory
  let operatorModels: [(model: String, provider: String)]
  let redis: RedisChoice
  var log: ProblemLog
  var warnings: ProblemLog

  var providerBudgets: [BudgetDefinition] = []
  var deploymentBudgets: [BudgetDefinition] = []
  var tagBudgets: [BudgetDefinition] = []
  var deployments: [ConfiguredDeployment] = []
  var deploymentFacts: [DeploymentFacts] = []
  var waitingBudgets: [WaitingBudget] = []
  /// The providers of `custom_provider_map`.
  var customProviders: [String] = []
  /// The budgeted names of providers, where they stand.
  var providerNames: [WrittenName] = []
  /// By a key of deployments' parameters: the one that it misspells, nil for most; looked up once.
  var misspelled: [String: String?] = [:]
  /// The line that the model list starts on.
  var modelListLine = 1
  /// Budgets of deployments by id, with the line of the first entry that has them.
  var deploymentTerms: [DocumentNode.Value: (terms: BudgetTerms, line: Int)] = [:]
  /// How many budgeted deployments have an id that is computed.
  var computedIDs = 0
  /// Settings that nearly are budgets, which were warned of.
  var nearBudgets: Set<String> = []
  /// How many deployments LiteLLM drops.
  var droppedDeployments = 0
  /// Other names of model groups.
  var aliases = ModelAliases()
  /// The contents of the section `budgetd:`.
  var own = OwnBudgets()
  /// The time zones that it names.
  var calendars: CalendarTables

  /// A reader of `document` that knows what `loader` does.
  init(_ document: IncludeReader.Outcome, loader: LiteLLMConfigLoader, redis: RedisChoice) {
    self.redis = redis
    environment = EnvironmentReferences(environment: loader.environment)
    directory = loader.directory
    operatorModels = loader.operatorModels
    log = document.log
    warnings = document.warnings
    calendars = CalendarTables(loader.zones)
  }

  /// The places of a document's parts.
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
  mutating func read(_ root: DocumentNode, layout: Layout) throws(DocumentError) -> LiteLLMConfig {
    guard let sections = root.mapping else {
      let found = root.isNull ? "empty" : root.words
      log.add(root, "", "the configuration is \(found): it has to be a mapping")
      throw DocumentError(problems: log.sorted())
    }
    judgeRepetitions(in: sections, at: "")
    if layout == .file {
      readEnvironmentVariables(sections)
      readCustomProviders(sections)
      refuseMisplaced(sections)
    }
    readOwnSection(sections)
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
    let total = readTotal(sections)
    own.refuseTooManyWindows(log: &log)
    let redis = redisSource(sections)
    guard log.isEmpty else { throw DocumentError(problems: log.sorted()) }
    let configuration = budgetConfiguration(total: total)
    let unknown = UnknownNames(configuration: configuration)
    unknown.warn(
      ofProviders: providerNames + own.names[.provider, default: []], &warnings)
    unknown.warn(of: own.names, &warnings)
    unknown.warn(ofAliases: aliases, &warnings)
    warnOfLargeGroups()
    if layout == .file {
      warnOfStrangers(sections)
      warnOfUnenforced(sections)
    }
    return LiteLLMConfig(
      budgets: configuration, redis: redis, alerts: own.alerts, deploymentFacts: deploymentFacts,
      waitingBudgets: waitingBudgets, includedFiles: log.lines.included,
      warnings: warnings.sorted())
  }

  /// All that was read, LiteLLM's budgets of each scope before the section's.
  private func budgetConfiguration(total: BudgetDefinition?) -> BudgetConfiguration {
    var configuration = BudgetConfiguration(
      budgets: BudgetScope.inOrder.flatMap { scope in
        let first: [BudgetDefinition] =
          switch scope {
          case .provider: providerBudgets
          case .deployment: deploymentBudgets
          case .tag: tagBudgets
          case .total: total.map { [$0] } ?? []
          case .model, .pool: []
          }
        return first + own.budgets.filter { $0.key.scope == scope }
      }, patterns: own.sortedPatterns, pools: own.pools.map(\.members), deployments: deployments,
      aliases: aliases.groups, directory: directory)
    configuration.dynamicBudgetsFull = own.dynamicBudgetsFull
    return configuration
  }

  /// A section's value; nil where it is absent or null.
  mutating func section(
    _ mapping: DocumentMapping, _ key: String, path: String
  ) -> DocumentNode? {
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
    _ sections: DocumentMapping, at path: [String]
  ) -> DocumentMapping? {
    var mapping = sections
    var walked: [String] = []
    for key in path {
      walked.append(key)
      let place = walked.joined(separator: ".")
      if walked.count > 1 {
        judgeRepetitions(of: [key], in: mapping, at: walked.dropLast().joined(separator: "."))
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

  /// Budgets in a place where nobody looks for them.
  private mutating func refuseMisplaced(_ sections: DocumentMapping) {
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
    for entry in sections.entries {
      guard let section = entry.key.text, let found = Self.key("budgetd", in: entry.value) else {
        continue
      }
      log.add(
        found, "\(section).budgetd",
        "budgetd is a section of its own, and is looked for nowhere else: move it to the left edge")
    }
  }

  private static func key(_ key: String, in section: DocumentNode) -> DocumentNode? {
    section.mapping?.entries.first { $0.key.text == key }?.key
  }
}
