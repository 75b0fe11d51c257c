import Documents

/// Puts environment variables in the place of `os.environ/NAME`, where LiteLLM does.
///
/// That is in values of mappings, and of mappings in lists; a text directly in a list stays as it
/// is. `true` and `false` become truth values. A variable that is not set gives null.
struct EnvironmentReferences: Sendable {
  /// The beginning of a reference.
  static let prefix = "os.environ/"
  /// LiteLLM looks no deeper.
  static let maximumDepth = 100

  /// How often LiteLLM replaces references among the parameters of a deployment.
  static let passes = 3

  /// The process's own variables.
  let environment: [String: String]
  /// Those of the file's `environment_variables`.
  var fileVariables: [String: FileVariable] = [:]

  /// One of the file's variables.
  struct FileVariable {
    var value: String
    var line: Int
  }

  init(environment: [String: String]) { self.environment = environment }

  /// The value of the reference `text` among the file's variables, which LiteLLM sets too late for
  /// references; nil if it is not one of them.
  func lateValue(of text: String) -> String? {
    guard text.utf8.starts(with: Self.prefix.utf8) else { return nil }
    return fileVariables[String(text.dropFirst(Self.prefix.count))]?.value
  }

  /// A variable as LiteLLM finds it once it runs: the file's, else the process's.
  func variable(_ name: String) -> String? { fileVariables[name]?.value ?? environment[name] }

  /// Keys whose values LiteLLM keeps as references: pointers to secrets, read at the time of use.
  private static let pointers: Set<String> = [
    "anthropic_issuer_signing_key_ref", "anthropic_keycloak_client_secret_ref",
  ]

  /// The value that the text `text` stands for, or nil if it is not a reference.
  func value(of text: String, unset: inout [String]) -> DocumentNode.Value? {
    // Most texts are told apart by their first byte.
    guard text.utf8.first == UInt8(ascii: "o"), text.utf8.starts(with: Self.prefix.utf8) else {
      return nil
    }
    var name = String(text.dropFirst(Self.prefix.count))
    if name.utf8.contains(UInt8(ascii: "/")) {
      // LiteLLM takes the prefix away wherever it occurs.
      name = name.split(separator: Self.prefix).joined()
    }
    guard let value = environment[name] else {
      unset.append(name)
      return .null
    }
    switch value.trimmingBlanks().lowercased() {
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: return .string(value)
    }
  }

  /// The variable that `text` refers to, where it is not set.
  func unsetName(_ text: String) -> String? {
    var unset: [String] = []
    _ = value(of: text, unset: &unset)
    return unset.first
  }

  /// The value of `entry` in a mapping `depth` levels below the document's root, with its references
  /// replaced. The names of variables that are not set are added to `unset`.
  func resolvedValue(
    of entry: DocumentMapping.Entry, depth: Int, unset: inout [String]
  ) -> DocumentNode {
    replacement(in: entry, depth: depth, unset: &unset) ?? entry.value
  }

  /// Whether LiteLLM leaves the value of `key` alone.
  func keepsReference(_ key: DocumentNode) -> Bool {
    key.text.map { Self.pointers.contains($0) } ?? false
  }

  private func replacement(
    in entry: DocumentMapping.Entry, depth: Int, unset: inout [String]
  ) -> DocumentNode? {
    guard let text = entry.value.text else {
      return replacement(of: entry.value, depth: depth + 1, unset: &unset)
    }
    guard !keepsReference(entry.key) else { return nil }
    return value(of: text, unset: &unset).map { DocumentNode($0, line: entry.value.line) }
  }

  /// Nil: nothing to replace, so that untouched documents are not copied.
  private func replacement(
    of node: DocumentNode, depth: Int, unset: inout [String]
  ) -> DocumentNode? {
    switch node.value {
    case .mapping(let mapping):
      guard depth <= Self.maximumDepth else { return nil }
      var changed: DocumentMapping?
      for (index, entry) in mapping.entries.enumerated() {
        guard let value = replacement(in: entry, depth: depth, unset: &unset) else { continue }
        if changed == nil { changed = mapping }
        changed?.replaceValue(at: index, with: value)
      }
      return changed.map { DocumentNode(.mapping($0), line: node.line) }
    case .sequence(let nodes):
      var changed: [DocumentNode]?
      for (index, element) in nodes.enumerated() where element.mapping != nil {
        guard let value = replacement(of: element, depth: depth, unset: &unset) else { continue }
        if changed == nil { changed = nodes }
        changed?[index] = value
      }
      return changed.map { DocumentNode(.sequence($0), line: node.line) }
    default: return nil
    }
  }
}

extension String {
  /// Without white space at both ends.
  func trimmingBlanks() -> String {
    var scalars = unicodeScalars[...]
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(scalars)
  }
}
