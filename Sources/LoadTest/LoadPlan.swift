public import BudgetClient

/// What a load test does.
public struct LoadPlan: Hashable, Sendable {
  /// What is asked, again and again.
  public enum Work: String, CaseIterable, Sendable {
    /// FilterDeployments.
    case filter
    /// RecordSpend of 0 $, each with a fresh idempotency key.
    case record
    /// Both in turns.
    case mixed
  }

  /// What is asked.
  public var work: Work = .filter
  /// How many connections are used: 1 to 10,000.
  public var connections = 8
  /// How many requests are under way on each: 1 to 4,096.
  public var depth = 32
  /// How long answers are counted.
  public var duration: Duration = .seconds(5)
  /// How long requests are sent before that, uncounted.
  public var warmUp: Duration = .seconds(1)
  /// The providers, deployments and tags that requests name, by turns.
  public var names = LoadNames()

  /// Filters on 8 connections of 32 requests each.
  public init() {}
}

/// Whose budgets a load test asks about.
public struct LoadNames: Hashable, Sendable {
  /// Providers' names.
  public var providers = ["openai"]
  /// Deployments' ids.
  public var deployments = ["bench"]
  /// Tags.
  public var tags = ["bench"]
  /// Models that filters ask for instead of giving deployments; empty: they give deployments.
  public var models: [String] = []

  /// One of each, for a server without budgets.
  public init() {}

  /// The names of `budgets`, as far as it has some of each kind.
  public init(_ budgets: GetProviderBudgetsResponse) {
    func names(_ budgets: [Budget], else standard: [String]) -> [String] {
      budgets.isEmpty ? standard : budgets.map(\.name)
    }
    providers = names(budgets.providers, else: providers)
    deployments = names(budgets.deployments, else: deployments)
    tags = names(budgets.tags, else: tags)
  }
}
