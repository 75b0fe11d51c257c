/// Keys and values of a document in their order; each key occurs once.
///
/// If the document repeats a key, its last value counts, in the first one's place: Python's rule.
/// Values that were replaced are kept too, for readers that have to say so.
public struct DocumentMapping: Hashable, Sendable {
  /// The keys and values.
  public private(set) var entries: [Entry]
  /// The repetitions of keys, in the document's order: each key where it stands again, with the
  /// value that it replaced.
  public private(set) var repetitions: [Entry]
  /// The difference that other releases of PyYAML make here, because of a list of merges.
  public internal(set) var dependence: MergeDependence?

  /// One key and its value.
  public struct Entry: Hashable, Sendable {
    /// The key: mostly a text, but YAML has others.
    public var key: DocumentNode
    /// The value.
    public var value: DocumentNode

    /// Makes an entry.
    public init(key: DocumentNode, value: DocumentNode) {
      self.key = key
      self.value = value
    }
  }

  /// Makes a mapping of entries whose keys may repeat. `inherited` ones (YAML's merge keys) come
  /// first, and repeating one of those is not a repetition. Cost: linear.
  public init(_ entries: [Entry], inherited: [Entry] = []) {
    repetitions = []
    dependence = nil
    let all = inherited.isEmpty ? entries : inherited + entries
    guard !inherited.isEmpty || Self.hasRepetition(entries) else {
      self.entries = all
      return
    }
    self.entries = []
    self.entries.reserveCapacity(all.count)
    var places: [DocumentNode: Int] = [:]
    var written: Set<DocumentNode> = []
    for (index, entry) in all.enumerated() {
      let key = entry.key.pythonKey
      if let place = places[key] {
        if index >= inherited.count, !written.insert(key).inserted {
          repetitions.append(Entry(key: entry.key, value: self.entries[place].value))
        }
        self.entries[place].value = entry.value
      } else {
        if index >= inherited.count { written.insert(key) }
        places[key] = self.entries.count
        self.entries.append(entry)
      }
    }
  }

  /// Makes a mapping of entries whose keys are distinct, with what they replaced.
  public init(_ entries: [Entry], replacing repetitions: [Entry]) {
    self.entries = entries
    self.repetitions = repetitions
    dependence = nil
  }

  /// The same without a word of what was replaced.
  public var withoutRepetitions: DocumentMapping { DocumentMapping(entries, replacing: []) }

  /// The value of the text key `key`. Linear in the number of keys.
  public subscript(key: String) -> DocumentNode? { entry(key)?.value }

  /// The entry of the text key `key`. Linear in the number of keys.
  public func entry(_ key: String) -> Entry? {
    for entry in entries {
      if case .string(let text) = entry.key.value, text.hasSameBytes(as: key) { return entry }
    }
    return nil
  }

  /// Puts another value in the place of entry `index`.
  public mutating func replaceValue(at index: Int, with value: DocumentNode) {
    entries[index].value = value
  }

  private static func hasRepetition(_ entries: [Entry]) -> Bool {
    guard entries.count > 12 else {
      // A few comparisons cost less than a set.
      for index in entries.indices.dropFirst() {
        if entries[..<index].contains(where: { $0.key.pythonKey == entries[index].key.pythonKey }) {
          return true
        }
      }
      return false
    }
    return Set(entries.lazy.map(\.key.pythonKey)).count < entries.count
  }
}
