public import BudgetClient

/// The work, shape and length of a load test.
public struct LoadPlan: Hashable, Sendable {
  /// The request that is sent again and again.
  public enum Work: String, CaseIterable, Sendable {
    /// FilterDeployments.
    case filter
    /// RecordSpend of 0 $, each with a fresh idempotency key.
    case record
    /// Both in turns.
    case mixed
  }

  /// The question.
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
  /// Whether each request has one tag more, `user:` and 16 hexadecimal digits, that no request
  /// before had. Traffic that carries the end user is like that; without it the same 256 requests
  /// come again and again.
  public var hasFreshTags = false
  /// Whether each filter has to be denied: one that is allowed counts as an error. The names must
  /// be such, see `LoadNames.init(denying:)`.
  public var expectsDenials = false
  /// Whether filters reserve, and records carry no key: they settle.
  var reserves = false

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

  /// Names of `budgets` with which every candidate of every filter meets an exhausted budget: its
  /// provider's, or where no provider's is exhausted its own, or else that of a tag. Nil: no budget is
  /// exhausted.
  public init?(denying budgets: GetProviderBudgetsResponse) {
    self.init(budgets)
    func exhausted(_ budgets: [Budget]) -> [String] { budgets.filter(\.isExhausted).map(\.name) }
    let providers = exhausted(budgets.providers)
    let deployments = exhausted(budgets.deployments)
    let tags = exhausted(budgets.tags)
    if !providers.isEmpty {
      self.providers = providers
    } else if !deployments.isEmpty {
      self.deployments = deployments
    } else if !tags.isEmpty {
      self.tags = tags
    } else {
      return nil
    }
  }
}
