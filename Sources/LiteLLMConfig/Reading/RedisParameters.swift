import Documents

/// The parameters of Redis in one place of the configuration, before they are judged.
struct RedisParameters {
  /// Its place: a setting of the file, or the environment.
  var origin: String
  /// The line of the file; 1 for the environment.
  var line: Int
  /// The values by their plain names: `host`, `port`, `url`, `ssl` and so on.
  private(set) var values: [String: Value] = [:]

  /// One value and where it stands.
  struct Value {
    var node: DocumentNode
    var path: String
  }

  init(origin: String, line: Int) {
    self.origin = origin
    self.line = line
  }

  /// The value of a name; nil where it is absent or null.
  subscript(name: String) -> Value? { values[name] }

  /// Sets a value; null, and a list of nothing, take it away.
  mutating func set(_ name: String, _ node: DocumentNode, path: String) {
    let isNothing = node.isNull || node.sequence?.isEmpty == true
    values[name] = isNothing ? nil : Value(node: node, path: path)
  }

  /// Sets all of a mapping.
  mutating func set(_ mapping: DocumentMapping, path: String) {
    for entry in mapping.entries {
      guard let name = entry.key.text else { continue }
      set(name, entry.value, path: "\(path).\(entry.key.pathSegment)")
    }
  }

  /// Takes a value away.
  mutating func remove(_ names: String...) {
    for name in names { values[name] = nil }
  }

  /// Gives a value another name.
  mutating func rename(_ old: String, to new: String) {
    if let value = values.removeValue(forKey: old) { values[new] = value }
  }

  /// Adds what is not there yet.
  mutating func fill(from other: RedisParameters) {
    values.merge(other.values) { mine, _ in mine }
  }

  /// Whether a target is named, of any kind.
  var namesTarget: Bool {
    ["host", "url", "startup_nodes", "sentinel_nodes"].contains { values[$0] != nil }
  }
}

extension DocumentNode {
  /// Whether it switches a setting on, as LiteLLM reads it.
  var isOn: Bool {
    if let text { return ["true", "1", "yes"].contains(text.lowercased()) }
    return bool ?? ((number ?? 0) != 0)
  }

  /// The digits of a whole number, or of a text that holds one.
  var digits: String? {
    switch value {
    case .integer(let digits): digits
    case .string(let text): text.trimmingBlanks()
    default: nil
    }
  }

  /// Whether it switches a setting off.
  var isFalse: Bool {
    bool == false || ["false", "0", "no", ""].contains(text?.lowercased() ?? "x")
  }
}
