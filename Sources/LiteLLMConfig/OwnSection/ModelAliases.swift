import BudgetModel
import Documents

/// Reads `router_settings.model_group_alias`: other names of model groups.
struct ModelAliases {
  /// Alias to model group.
  private(set) var groups: [String: String] = [:]
  /// The aliases, and where they stand.
  private(set) var written: [WrittenName] = []

  private static let path = "router_settings.model_group_alias"

  /// Those of a document. An entry that LiteLLM makes nothing of is warned of.
  static func read(_ sections: DocumentMapping, _ findings: inout Findings) -> ModelAliases {
    var aliases = ModelAliases()
    guard let written = sections["router_settings"]?["model_group_alias"], !written.isNull else {
      return aliases
    }
    guard let mapping = written.mapping else {
      findings.warnings.add(
        written, path,
        "this is \(written.words), and no alias of it is known: write a mapping of aliases to model "
          + "groups")
      return aliases
    }
    for entry in mapping.entries {
      let place = "\(path).\(entry.key.pathSegment)"
      // The longer form has whether lists of models show it, which changes no name.
      let value = entry.value.mapping.map { $0["model"] ?? DocumentNode(.null) } ?? entry.value
      guard let group = findings.settled(value, path: place)?.text, !group.isEmpty,
        NameRule.complaint(group) == nil, let alias = entry.key.text,
        NameRule.complaint(alias) == nil
      else {
        findings.warnings.add(
          entry.key, place,
          "this is no alias to LiteLLM: write the alias and its model group, such as gpt-4: gpt-4o")
        continue
      }
      aliases.groups[alias] = group
      aliases.written.append(WrittenName(text: alias, line: value.line, path: place))
    }
    return aliases
  }
}
