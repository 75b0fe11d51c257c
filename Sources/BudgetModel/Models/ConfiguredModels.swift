/// The model names of a configuration by themselves, where no catalog of it is at hand.
public struct ConfiguredModels: ModelNames {
  private let groups: ModelGroups
  private let names: Set<ExactText>
  private let ids: Set<ExactText>
  private let models: Set<ExactText>

  /// The groups, aliases and ids of a configuration.
  public init(_ configuration: BudgetConfiguration) {
    let deployments = configuration.deployments
    groups = ModelGroups(
      groups: deployments.lazy.map(\.modelName), aliases: configuration.aliases,
      directory: configuration.directory)
    names = Set(deployments.lazy.map { ExactText($0.modelName) })
    ids = Set(deployments.lazy.map { ExactText($0.id) })
    models = Set(deployments.lazy.map { ExactText($0.model) })
  }

  /// The meaning of the name; nil where LiteLLM finds no deployment for it.
  public func meaning(of requested: String) -> ModelGroups.Meaning? {
    groups.meaning(of: requested, in: self)
  }

  /// The public name that model budgets count: the requested one, or what it is an alias of.
  public func publicName(of requested: String) -> String { groups.publicName(of: requested) }

  /// Whether a model group has the name.
  public func hasGroup(_ name: String) -> Bool { names.contains(ExactText(name)) }
  /// Whether a deployment has the id.
  public func hasDeployment(id: String) -> Bool { ids.contains(ExactText(id)) }
  /// Whether a deployment's own model is this.
  public func hasModel(_ model: String) -> Bool { models.contains(ExactText(model)) }
}
