public import BudgetModel

extension BudgetCatalog {
  /// The name of the provider whose budget `candidate(id:model:provider:)` looks at, whether it has
  /// one or not; nil where no provider is given and none follows. For people: it builds a text.
  public func providerName(id: NameBytes, model: NameBytes, provider: NameBytes) -> String? {
    if !provider.isEmpty { return provider.text }
    if let configured = id.isEmpty ? nil : deployments.indexes[id] {
      return deployments.provider(at: Int(configured))
    }
    return directory.provider(ofModel: model).map { directory.names[Int($0)] }
  }
}
