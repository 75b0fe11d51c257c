public import BudgetModel

/// Reads LiteLLM's configuration: refuses it with all that is wrong, or accepts it with warnings.
///
/// Reads no files and no environment itself. Cost: linear in the document.
public struct LiteLLMConfigLoader: Sendable {
  /// What references such as `os.environ/NAME` are looked up in.
  public let environment: [String: String]
  /// How the providers of models are found.
  public let directory: ProviderDirectory
  /// Where the Redis is taken from.
  public let redis: RedisChoice

  /// A loader with the process's environment as the caller sees it, the operator's provider map and
  /// the published lists. Cost: some milliseconds, for the lists. Settings of Redis are looked at
  /// only where `redis` asks for them.
  public init(
    environment: [String: String], providerMap: ProviderMap = .empty, redis: RedisChoice = .off
  ) {
    self.environment = environment
    self.redis = redis
    directory = PublishedProviders.directory(operatorModels: providerMap.models)
  }

  /// Reads the text of a `config.yaml`; `file` is its name in messages.
  public func load(yaml text: String, file: String) throws(ConfigError) -> LiteLLMConfig {
    try read(ConfigNode.parse(yaml: text, file: file), layout: .file, file: file)
  }

  /// Reads the bytes of a `config.yaml`, which have to be UTF-8; `file` is its name in messages.
  public func load(yaml bytes: [UInt8], file: String) throws(ConfigError) -> LiteLLMConfig {
    try read(ConfigNode.parse(yaml: bytes, file: file), layout: .file, file: file)
  }

  /// Reads a trace's `config` object: budgets and the model list at the top level. `file` is the
  /// trace's name in messages.
  public func load(document: ConfigNode, file: String) throws(ConfigError) -> LiteLLMConfig {
    try read(document, layout: .trace, file: file)
  }

  private func read(
    _ root: ConfigNode, layout: ConfigReader.Layout, file: String
  ) throws(ConfigError) -> LiteLLMConfig {
    var reader = ConfigReader(
      file: file, environment: environment, directory: directory,
      redis: layout == .file ? redis : .off)
    return try reader.read(root, layout: layout)
  }
}
