import BudgetModel
import Documents

// `environment_variables:`. LiteLLM replaces the references of the whole file first, with its own
// process's variables, and sets those of this section afterwards: what it looks up from then on,
// Redis' variables among it, it finds here before the process's own.

extension ConfigReader {
  /// Variables that LiteLLM does not let a file set.
  private static let blocked: Set<String> = [
    "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES",
    "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "HOME", "USER", "SHELL", "LOGNAME", "NO_PROXY",
    "no_proxy",
  ]

  /// More values than this are not looked for in messages.
  private static let maximumSecrets = 1_000

  /// Takes the file's variables. Their values are in no message from here on.
  mutating func readEnvironmentVariables(_ sections: DocumentMapping) {
    let path = "environment_variables"
    guard let node = sections[path], !node.isNull else { return }
    guard let mapping = node.mapping else {
      guard node.sequence?.isEmpty != true else { return }
      // The value itself may be a secret.
      log.add(node, path, "this is not a mapping of names to values: write NAME: value")
      return
    }
    for entry in mapping.entries {
      guard let name = entry.key.text, !Self.blocked.contains(name) else { continue }
      let place = "\(path).\(entry.key.pathSegment)"
      guard let value = variable(entry.value, path: place) else { continue }
      environment.fileVariables[name] = EnvironmentReferences.FileVariable(
        value: value, line: entry.value.line)
    }
    let values = environment.fileVariables.values.map(\.value).filter { !$0.isEmpty }
    log.secrets = Array(Set(values).prefix(Self.maximumSecrets))
    warnings.secrets = log.secrets
  }

  /// A variable's value as Python's text; nil where it has none.
  private mutating func variable(_ node: DocumentNode, path: String) -> String? {
    guard let text = node.text else { return node.isNull ? nil : node.pythonText }
    var unset: [String] = []
    guard let value = environment.value(of: text, unset: &unset) else { return text }
    guard let name = unset.first else { return DocumentNode(value).pythonText }
    warnings.add(
      node, path,
      "the environment variable \(DocumentProblem.plain(name)) is not set, so this has no value: set it"
    )
    return nil
  }

  /// The providers that the file's own handlers serve: to LiteLLM they are providers as any other.
  mutating func readCustomProviders(_ sections: DocumentMapping) {
    let path = "litellm_settings.custom_provider_map"
    guard let node = sections["litellm_settings"]?["custom_provider_map"],
      let entries = node.sequence
    else { return }
    var names: [String] = []
    for (index, entry) in entries.enumerated() {
      guard let provider = entry["provider"] else { continue }
      var unset: [String] = []
      let value = provider.text.flatMap { environment.value(of: $0, unset: &unset) }
      guard
        let name = value.map({ DocumentNode($0) })?.text ?? (value == nil ? provider.text : nil),
        NameRule.complaint(name) == nil
      else {
        warnings.add(
          provider, "\(path)[\(index)].provider",
          "this names no provider, so its models have none: write a name as a text")
        continue
      }
      names.append(name)
    }
    customProviders = names
    let unknown = names.filter { !directory.knows(provider: $0) }
    if !unknown.isEmpty {
      directory = PublishedProviders.directory(
        operatorModels: operatorModels, customProviders: unknown)
    }
  }
}
