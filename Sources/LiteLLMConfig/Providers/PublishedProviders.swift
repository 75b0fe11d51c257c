public import BudgetModel

/// LiteLLM's published lists of providers, as of one version of its package.
public enum PublishedProviders {
  /// The version of LiteLLM that the lists are from.
  public static var liteLLMVersion: String { version }

  /// The published facts, with the operator's own models in the last place, and further providers.
  public static func facts(
    operatorModels: [(model: String, provider: String)], customProviders: [String] = []
  ) -> ProviderFacts {
    ProviderFacts(
      providers: lines(providerLines).map(String.init) + customProviders,
      exceptions: pairs(exceptionLines),
      knownModels: pairs(modelLines),
      endpoints: pairs(endpointLines).map { url, provider in
        (endpoint: url, provider: provider == "-" ? nil : provider)
      },
      operatorModels: operatorModels)
  }

  /// A directory of the published facts and the operator's own models. Cost: some milliseconds.
  public static func directory(
    operatorModels: [(model: String, provider: String)] = [], customProviders: [String] = []
  ) -> ProviderDirectory {
    ProviderDirectory(facts(operatorModels: operatorModels, customProviders: customProviders))
  }

  private static func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }

  /// Lines of a provider, a blank and a name that may have blanks itself.
  private static func pairs(_ text: String) -> [(model: String, provider: String)] {
    lines(text).map { line in
      let provider = line.prefix { $0 != " " }
      return (model: String(line.dropFirst(provider.count + 1)), provider: String(provider))
    }
  }
}
