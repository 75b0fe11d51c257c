import BudgetModel
import Documents

// Files that are not a configuration of LiteLLM's, and names that nearly are its.

extension ConfigReader {
  /// The sections that LiteLLM 1.106.2 reads.
  private static let sections: Set<String> = [
    "model_list", "router_settings", "litellm_settings", "general_settings", "include",
    "environment_variables", "callback_settings", "guardrails", "prompts", "mcp_servers",
    "mcp_tools", "mcp_aliases", "files_settings", "finetune_settings", "assistant_settings",
    "default_vertex_config", "credential_list", "vector_store_registry", "search_tools",
    "sandbox_tools", "policies", "policy_attachments", "agents", "agent_list", "worker_registry",
    "pass_through_endpoints", "plugins", "model_group_settings", "budgetd",
  ]

  /// The sections that budgets, deployments and their Redis are read from.
  private static let read = [
    "model_list", "router_settings", "litellm_settings", "general_settings",
  ]

  /// Warns of a file that is something else, and of sections and settings that are nearly right.
  mutating func warnOfStrangers(_ sections: DocumentMapping) {
    if let inner = innerFile(sections) {
      warnings.add(inner.key, inner.path, inner.message)
      return
    }
    let names = sections.entries.compactMap(\.key.text)
    if !names.contains(where: Self.sections.contains), let first = sections.entries.first {
      let shown = SectionLosses.words(names.map(DocumentProblem.plain))
      warnings.add(
        first.key, "",
        "no section of this file is one that LiteLLM knows (\(shown)): a configuration has "
          + Self.read.joined(separator: ", "))
    }
    for entry in sections.entries {
      guard let name = entry.key.text, !Self.sections.contains(name),
        let meant = Spelling.nearest(to: name, among: Self.sections.sorted()),
        sections[meant] == nil || Self.read.contains(meant)
      else { continue }
      warnings.add(
        entry.key, DocumentProblem.plain(name),
        "LiteLLM has no section \(DocumentProblem.quoted(name)), and nothing of it is read: did you mean "
          + "\(meant)?")
    }
    for section in Self.read where section != "model_list" {
      warnOfNearBudgets(sections[section]?.mapping, section: section)
    }
  }

  /// Settings that look like budgets, under names that LiteLLM does not read.
  private mutating func warnOfNearBudgets(_ mapping: DocumentMapping?, section: String) {
    let homes = [
      "provider_budget_config": "router_settings", "tag_budget_config": "litellm_settings",
    ]
    for entry in mapping?.entries ?? [] {
      guard let name = entry.key.text, homes[name] == nil, !entry.value.isNull else { continue }
      let words = name.lowercased()
      let meant =
        Spelling.nearest(to: name, among: homes.keys.sorted())
        ?? (words.contains("budget")
          ? words.contains("provider")
            ? "provider_budget_config" : words.contains("tag") ? "tag_budget_config" : nil : nil)
      guard let meant, let home = homes[meant],
        entry.value.mapping != nil || entry.value.sequence != nil
      else { continue }
      let path = "\(section).\(entry.key.pathSegment)"
      nearBudgets.insert(path)
      warnings.add(
        entry.key, path,
        "not enforced here: LiteLLM has no setting \(DocumentProblem.quoted(name)): did you mean "
          + "\(home).\(meant), a mapping of names to budgets?")
    }
  }

  /// A configuration within a file of another kind.
  private struct InnerFile {
    var key: DocumentNode
    var path: String
    var message: String
  }

  private func innerFile(_ sections: DocumentMapping) -> InnerFile? {
    guard !sections.entries.contains(where: { Self.read.contains($0.key.text ?? "") }) else {
      return nil
    }
    let file = DocumentProblem.plain(log.lines.root)
    if let kind = sections.entry("kind"), let text = kind.value.text,
      ["ConfigMap", "Secret"].contains(text), sections["apiVersion"] != nil
    {
      let data = sections.entry("data") ?? sections.entry("stringData")
      let name = data?.value.mapping?.entries.first?.key.text ?? "config.yaml"
      return InnerFile(
        key: data?.key ?? kind.key, path: data?.key.text ?? "kind",
        message:
          "this is a Kubernetes \(text), and nothing of it is read: the configuration is the "
          + "text of \(DocumentProblem.quoted(name)) in it: take it out, such as with "
          + "yq '.data[\"\(DocumentProblem.plain(name))\"]' \(file) > config.yaml, or name the file "
          + "where it is mounted")
    }
    for entry in sections.entries {
      guard let name = entry.key.text, let inner = entry.value.mapping,
        inner.entries.contains(where: { Self.read.contains($0.key.text ?? "") })
      else { continue }
      return InnerFile(
        key: entry.key, path: DocumentProblem.plain(name),
        message:
          "this is a file of values, as for Helm, and nothing of it is read: the configuration "
          + "is what stands under \(name): take it out, such as with yq .\(name) \(file) > "
          + "config.yaml, or name the file where the chart mounts it")
    }
    return nil
  }
}
