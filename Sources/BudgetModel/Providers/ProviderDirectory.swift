/// Finds the provider of a model by its name, as LiteLLM does.
///
/// In this order: the exceptions; the known provider before the first `/`; known names; the patterns
/// of `ModelPattern`; the operator's own map. Names are case-sensitive. A look-up reads the name
/// once or twice, builds no `String` and allocates nothing.
public struct ProviderDirectory: Sendable {
  /// Every provider name that the directory can answer, by index.
  public let names: [String]

  let providers: NameTable
  let exceptions: NameTable
  /// By provider: whether some exception starts with it, which spares the others a look-up.
  let hasExceptions: [Bool]
  let knownModels: NameTable
  let patternProviders: [Int32?]
  let operatorModels: NameTable
  let endpoints: [APIEndpoint]

  /// The directory that knows nothing.
  public static let empty = ProviderDirectory(ProviderFacts())

  /// Builds the look-up tables from `facts`. Cost: linear in their number.
  ///
  /// Bounds: those of `NameTable`; longer names than it takes are left out, no request has them.
  public init(_ facts: ProviderFacts) {
    var names: [String] = []
    var indices: [ExactText: Int32] = [:]
    func index(_ name: String) -> Int32 {
      if let index = indices[ExactText(name)] { return index }
      let index = Int32(names.count)
      names.append(name)
      indices[ExactText(name)] = index
      return index
    }
    func table(_ pairs: [(model: String, provider: String)]) -> NameTable {
      let short = pairs.lazy.filter { $0.model.utf8.count <= UInt16.max }
      return NameTable(short.map { (name: $0.model, value: index($0.provider)) })
    }
    providers = table(facts.providers.map { (model: $0, provider: $0) })
    // A bare name that is a provider's is an error to LiteLLM, whatever its lists say.
    let known = Set(facts.providers.map(ExactText.init))
    knownModels = table(facts.knownModels.filter { !known.contains(ExactText($0.model)) })
    exceptions = table(facts.exceptions)
    operatorModels = table(facts.operatorModels)
    // A directory that knows no providers answers none from patterns either.
    patternProviders = ModelPattern.allCases.map { pattern in
      known.isEmpty ? nil : index(pattern.provider)
    }
    endpoints = facts.endpoints.map { endpoint, provider in
      APIEndpoint(endpoint, provider: provider)
    }
    let prefixes = Set(facts.exceptions.map { ExactText(Self.prefix(of: $0.model)) })
    hasExceptions = names.map { prefixes.contains(ExactText($0)) }
    self.names = names
  }

  /// The part before the first `/`, or the whole. By bytes: a slash with a combining mark behind
  /// it is a slash.
  static func prefix(of model: String) -> String {
    String(decoding: model.utf8.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
  }

  /// The index in `names` of the provider that `model` belongs to, or nil where no rule names one.
  public func provider(ofModel model: NameBytes) -> Int32? {
    publishedProvider(ofModel: model) ?? operatorModels[model]
  }

  /// The rules' answer, without the operator's map.
  func publishedProvider(ofModel model: NameBytes) -> Int32? {
    prefixProvider(ofModel: model) ?? knownProvider(ofModel: model)
  }

  /// The provider before the first `/`, or the exception from it.
  func prefixProvider(ofModel model: NameBytes) -> Int32? {
    guard let slash = Self.firstSlash(in: model), let prefix = providers[model[0..<slash]] else {
      return nil
    }
    guard hasExceptions[Int(prefix)] else { return prefix }
    return exceptions[model] ?? prefix
  }

  /// The provider of a name without a known prefix: by its exact name, else by its pattern.
  func knownProvider(ofModel model: NameBytes) -> Int32? {
    if let provider = knownModels[model] { return provider }
    guard let pattern = ModelPattern(of: model) else { return nil }
    // `amazon_nova` alone is a provider's name, which LiteLLM takes for no model.
    guard providers[model] == nil else { return nil }
    return patternProviders[pattern.rawValue]
  }

  private static func firstSlash(in model: NameBytes) -> Int? {
    var index = 0
    while index < model.count {
      if model[index] == UInt8(ascii: "/") { return index }
      index += 1
    }
    return nil
  }
}

/// The facts that provider derivation works with: published ones, and the operator's own.
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
