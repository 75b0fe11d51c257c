extension ProviderDirectory {
  /// The provider of an entry of the model list, or nil where no rule names one.
  ///
  /// `customProvider` (`custom_llm_provider`) wins, but for LiteLLM's exceptions: Azure's Cohere and
  /// Mistral models are `openai`, Anthropic's text models `anthropic_text`, and so on. `apiBase`
  /// counts where the model has no known prefix. Empty texts count as absent. For loading: it
  /// allocates.
  public func provider(
    ofModel model: String, customProvider: String?, apiBase: String?
  ) -> String? {
    let prefix = String(model.prefix { $0 != "/" })
    // LiteLLM looks at the model's own prefix here, even where another provider is given.
    if prefix != "ai21", let exception = name(exceptions, model) { return exception }
    if let customProvider, !customProvider.isEmpty {
      let full = prefix == customProvider ? model : "\(customProvider)/\(model)"
      if customProvider != "azure", let exception = name(exceptions, full) { return exception }
      return customProvider
    }
    let published = NameBytes.with(model) { prefixProvider(ofModel: $0) }
    if let published { return names[Int(published)] }
    // LiteLLM never gets to a model's endpoint where its whole name is a provider's.
    if let apiBase, !apiBase.isEmpty, name(providers, model) == nil,
      let endpoint = endpoints.first(where: { $0.serves(apiBase) })
    {
      return endpoint.provider ?? name(operatorModels, model)
    }
    let known = NameBytes.with(model) { knownProvider(ofModel: $0) ?? operatorModels[$0] }
    return known.map { names[Int($0)] }
  }

  /// Whether some rule answers `provider`, so that a budget of that name can be charged without an
  /// explicit provider.
  public func knows(provider: String) -> Bool { names.contains(provider) }

  private func name(_ table: NameTable, _ model: String) -> String? {
    NameBytes.with(model) { table[$0] }.map { names[Int($0)] }
  }
}
