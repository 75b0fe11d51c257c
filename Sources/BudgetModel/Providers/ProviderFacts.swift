/// What provider derivation has to know: published facts, and the operator's own.
///
/// The rules that use them are `ProviderDirectory`'s. Where a name occurs twice, its first provider
/// counts.
public struct ProviderFacts: Sendable {
  /// Every known provider: the text before a model's first `/` that names one.
  public var providers: [String]
  /// Models whose provider is another than their prefix says, as `prefix/model` and provider.
  public var exceptions: [(model: String, provider: String)]
  /// Known names, mostly without a prefix, and their providers.
  public var knownModels: [(model: String, provider: String)]
  /// Known endpoints, as host, host and path or URL. Nil: known, but no provider goes with it.
  public var endpoints: [(endpoint: String, provider: String?)]
  /// The operator's own models; they count where no rule names a provider.
  public var operatorModels: [(model: String, provider: String)]

  /// Makes the facts from their lists.
  public init(
    providers: [String] = [], exceptions: [(model: String, provider: String)] = [],
    knownModels: [(model: String, provider: String)] = [],
    endpoints: [(endpoint: String, provider: String?)] = [],
    operatorModels: [(model: String, provider: String)] = []
  ) {
    self.providers = providers
    self.exceptions = exceptions
    self.knownModels = knownModels
    self.endpoints = endpoints
    self.operatorModels = operatorModels
  }
}
