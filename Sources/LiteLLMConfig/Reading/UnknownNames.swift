import BudgetModel
import Documents

/// Warns of budgets whose names nothing in the file has: they may be misspelt.
struct UnknownNames {
  let configuration: BudgetConfiguration

  /// In longer lists no near name is looked for: it takes too long.
  private static let maximumCandidates = 10_000

  /// Providers that no rule knows, and no deployment has.
  func warn(ofProviders names: [WrittenName], _ warnings: inout ProblemLog) {
    let configured = Set(
      configuration.deployments.lazy.compactMap(\.provider).map(ExactText.init))
    let directory = configuration.directory
    for name in names
    where !directory.knows(provider: name.text) && !configured.contains(ExactText(name.text)) {
      warn(name, "no provider is known as", near: directory.names, &warnings)
    }
  }

  /// Model names and ids that the model list does not have; without a list nothing is said.
  func warn(of names: [BudgetScope: [WrittenName]], _ warnings: inout ProblemLog) {
    let deployments = configuration.deployments
    let isSearched = deployments.count <= Self.maximumCandidates
    guard !deployments.isEmpty else { return }
    if let models = names[.model] {
      let groups = ConfiguredModels(configuration)
      let known = isSearched ? deployments.map(\.modelName) : []
      for name in models where groups.meaning(of: name.text) == nil {
        warn(name, "no model_name is", near: known, &warnings)
      }
    }
    if let written = names[.deployment] {
      let ids = Set(deployments.lazy.map { ExactText($0.id) })
      let known = isSearched ? deployments.map(\.id) : []
      for name in written where !ids.contains(ExactText(name.text)) {
        warn(name, "no model_info.id is", near: known, &warnings)
      }
    }
  }

  /// Aliases of what is not there.
  func warn(ofAliases aliases: ModelAliases, _ warnings: inout ProblemLog) {
    guard !aliases.written.isEmpty else { return }
    let groups = ConfiguredModels(configuration)
    for name in aliases.written where groups.meaning(of: name.text) == nil {
      let group = aliases.groups[name.text] ?? ""
      warnings.add(
        line: name.line, name.path,
        "no model_name is \(DocumentProblem.quoted(group)), so the alias finds no deployment: write "
          + "the name of a model group")
    }
  }

  private func warn(
    _ name: WrittenName, _ words: String, near candidates: [String], _ warnings: inout ProblemLog
  ) {
    // Once the log is full nobody will read the suggestion, and it is dear.
    let meant = warnings.isFull ? nil : Spelling.nearest(to: name.text, among: candidates)
    warnings.add(
      line: name.line, name.path,
      "\(words) \(DocumentProblem.quoted(name.text)), so only requests that name it count here"
        + (meant.map { ": did you mean \($0)?" } ?? ""))
  }
}
