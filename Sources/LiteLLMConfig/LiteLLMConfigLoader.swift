public import BudgetModel
public import Documents
public import TimeZones

/// Reads LiteLLM's configuration: refuses it with all that is wrong, or accepts it with warnings.
///
/// Reads no files and no environment itself. Cost: linear in the document.
public struct LiteLLMConfigLoader: Sendable {
  /// References such as `os.environ/NAME` are looked up in it.
  public let environment: [String: String]
  /// How the providers of models are found.
  public let directory: ProviderDirectory
  /// The operator's own models.
  let operatorModels: [(model: String, provider: String)]
  /// The source of the Redis.
  public let redis: RedisChoice
  /// How time zones are found by their IANA names.
  let zones: ZoneLookup

  /// Finds the table of a time zone.
  public typealias ZoneLookup = @Sendable (String) throws(ZoneError) -> ZoneTable

  /// A loader with the process's environment as the caller sees it, the operator's provider map and
  /// the published lists. Cost: some milliseconds, for the lists. Settings of Redis are looked at
  /// only where `redis` asks for them. `zones` nil: the zone files of `TZDIR`, else of the system.
  public init(
    environment: [String: String], providerMap: ProviderMap = .empty, redis: RedisChoice = .off,
    zones: ZoneLookup? = nil
  ) {
    self.environment = environment
    self.redis = redis
    self.zones = zones ?? Self.systemZones(environment)
    operatorModels = providerMap.models
    directory = PublishedProviders.directory(operatorModels: providerMap.models)
  }

  private static func systemZones(_ environment: [String: String]) -> ZoneLookup {
    let named = environment["TZDIR"] ?? ""
    let files = ZoneFiles(directory: named.isEmpty ? "/usr/share/zoneinfo" : named)
    return { name throws(ZoneError) in try files.table(named: name) }
  }

  /// Reads the text of a `config.yaml`; `file` is its name in messages.
  public func load(yaml text: String, file: String) throws(DocumentError) -> LiteLLMConfig {
    try load(yaml: Array(text.utf8), file: file)
  }

  /// Reads the bytes of a `config.yaml`, which have to be UTF-8, and the files that it includes;
  /// `file` is its name in messages, and its folder where the others are looked for.
  public func load(
    yaml bytes: [UInt8], file: String, includes: ConfigIncludes = .none
  ) throws(DocumentError) -> LiteLLMConfig {
    let outcome = try IncludeReader.read(bytes, file: file, includes: includes)
    var reader = ConfigReader(outcome, loader: self, redis: redis)
    return try reader.read(outcome.root, layout: .file)
  }

  /// Reads a trace's `config` object: budgets and the model list at the top level. `file` is the
  /// trace's name in messages.
  public func load(document: DocumentNode, file: String) throws(DocumentError) -> LiteLLMConfig {
    let outcome = IncludeReader.Outcome(
      root: document, log: ProblemLog(file: file), warnings: ProblemLog(file: file))
    var reader = ConfigReader(outcome, loader: self, redis: .off)
    return try reader.read(document, layout: .trace)
  }
}
