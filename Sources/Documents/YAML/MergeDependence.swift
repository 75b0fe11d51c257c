/// The difference between releases of PyYAML in a mapping that a list of merges (`<<: [*a, *b]`)
/// gives its keys: up to 6.0.3 the last mapping's keys stand first and the first one's values
/// count; from 6.0.4 on it is the other way round. This reader does as YAML says, and as 6.0.3.
public struct MergeDependence: Hashable, Sendable {
  /// The keys whose values differ; empty: only their order does.
  public let keys: [DocumentNode]

  /// The difference between `mapping` as 6.0.3 reads it and as 6.0.4 does; nil: none. A mapping
  /// also depends on all that a merged mapping depends on.
  init?(
    of mapping: DocumentMapping, _ entries: [DocumentMapping.Entry],
    merging sources: [DocumentMapping]
  ) {
    let nested = sources.compactMap(\.dependence)
    guard sources.count > 1 else {
      guard let first = nested.first else { return nil }
      self = first
      return
    }
    var inherited: [DocumentMapping.Entry] = []
    var seen: Set<Pair> = []
    for entry in sources.lazy.flatMap(\.entries) {
      guard seen.insert(Pair(entry)).inserted else { continue }
      inherited.append(entry)
    }
    let other = DocumentMapping(entries, inherited: inherited)
    guard other.entries != mapping.entries || !nested.isEmpty else { return nil }
    let differing = mapping.entries.filter { !other.entries.contains($0) }.map(\.key)
    keys = nested.flatMap(\.keys) + differing
  }

  /// 6.0.4 takes these once only: the same pair of the document; and, since it goes by the identity
  /// of Python's texts, any pair whose key is a single character.
  private enum Pair: Hashable {
    case character(String)
    case pair(DocumentMapping.Entry, line: Int)

    init(_ entry: DocumentMapping.Entry) {
      let text = entry.key.pythonText
      let isShared =
        text.unicodeScalars.count == 1 && text.unicodeScalars.allSatisfy { $0.value < 256 }
      self = isShared ? .character(text) : .pair(entry, line: entry.key.line)
    }
  }
}

extension DocumentNode {
  /// Whether PyYAML's releases read this value, or one in it, otherwise.
  public var dependsOnPyYAML: Bool {
    switch value {
    case .mapping(let mapping):
      mapping.dependence != nil || mapping.entries.contains { $0.value.dependsOnPyYAML }
    case .sequence(let nodes): nodes.contains(where: \.dependsOnPyYAML)
    default: false
    }
  }
}
