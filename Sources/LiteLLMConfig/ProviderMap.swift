public import Documents

/// The operator's own models and their providers, for names that no rule knows (`--provider-map`).
///
/// A YAML mapping of model to provider, both texts.
public struct ProviderMap: Sendable {
  /// The models with their providers, in the file's order.
  public let models: [(model: String, provider: String)]

  /// The map that has nothing.
  public static let empty = ProviderMap(models: [])

  private init(models: [(model: String, provider: String)]) { self.models = models }

  /// Reads a map's text; `file` is its name in messages. An empty file is an empty map.
  public init(yaml text: String, file: String) throws(DocumentError) {
    try self.init(document: DocumentNode.parse(yaml: text, file: file), file: file)
  }

  /// Reads a map's bytes, which have to be UTF-8; `file` is its name in messages.
  public init(yaml bytes: [UInt8], file: String) throws(DocumentError) {
    try self.init(document: DocumentNode.parse(yaml: bytes, file: file), file: file)
  }

  private init(document: DocumentNode, file: String) throws(DocumentError) {
    guard !document.isNull else {
      self = .empty
      return
    }
    var log = ProblemLog(file: file)
    var models: [(model: String, provider: String)] = []
    if let mapping = document.mapping {
      for repetition in mapping.repetitions {
        log.add(
          repetition.key, repetition.key.pathSegment,
          "this model stands here a second time, and only the last one would count: keep one")
      }
      for entry in mapping.entries {
        let path = entry.key.pathSegment
        if let complaint = Self.complaint(entry.key) { log.add(entry.key, path, complaint) }
        guard let provider = entry.value.text else {
          log.add(
            entry.value, path,
            "the provider is \(entry.value.words): write its name as a text, such as openai")
          continue
        }
        if let complaint = NameRule.complaint(provider) {
          log.add(entry.value, path, "of the provider \(complaint)")
        }
        if let model = entry.key.text { models.append((model, provider)) }
      }
    } else {
      log.add(
        document, "", "this is \(document.words): it has to be a mapping of model to provider")
    }
    guard log.isEmpty else { throw DocumentError(problems: log.sorted()) }
    self.init(models: models)
  }

  private static func complaint(_ key: DocumentNode) -> String? {
    key.text == nil
      ? "this key is \(key.words), not a text: quote it" : NameRule.complaint(key: key)
  }
}
