import BudgetEngine
import BudgetModel
import BudgetWire

/// Which budgets one page of GetProviderBudgets shows.
///
/// The budgets that a request asks for make one list: providers, deployments, models, pools, tags, the
/// total; behind them names that are frozen and have no budget. A page is a piece of it; the token names
/// the configuration and where the next piece starts.
struct BudgetPage {
  let budgets: [Item]
  /// Empty on the last page.
  let nextToken: String

  /// Tells this process's tokens from those of other nodes and of earlier starts.
  private static let process = String(UInt64.random(in: 0 ... .max), radix: 36)

  /// The most budgets on one page.
  static let maximumSize = 1_000

  /// A budget of the list.
  enum Item {
    /// One that the configuration names.
    case entry(CatalogBudget)
    /// One that a name has by a pattern.
    case dynamic(DynamicReport)
  }

  /// The budgets by one pattern, the nearest to their limits first.
  init(
    nearest count: UInt32, to pattern: String, in catalog: BudgetCatalog,
    _ dynamic: DynamicReading
  ) throws(ServiceRefusal) {
    let scopes = BudgetScope.inOrder.filter { catalog.hasPattern($0, pattern) }
    guard !scopes.isEmpty else {
      throw ServiceRefusal(
        .notFound, "pattern '\(pattern)' is not in the configuration: give it as it stands there")
    }
    let count = count == 0 ? Self.usualNearest : min(Int(count), Self.maximumSize)
    budgets = scopes.flatMap { scope in
      dynamic.nearest(count, to: scope, pattern).map { .dynamic($0) }
    }
    nextToken = ""
  }

  private static let usualNearest = 20

  init(
    _ request: GetProviderBudgetsView, in catalog: BudgetCatalog, _ dynamic: DynamicReading
  ) throws(ServiceRefusal) {
    let start = try Self.start(request.pageToken, in: catalog)
    let asked = Int(request.pageSize)
    let size = asked == 0 ? Self.maximumSize : min(asked, Self.maximumSize)
    var wanted: [Item] = []
    // One more than fits, to know whether there is a next page.
    var skipped = 0
    func take(_ budget: Item) {
      if skipped < start { skipped += 1 } else { wanted.append(budget) }
    }
    func takeNamed(_ scope: BudgetScope, count: Int, name: (Int) -> NameBytes) {
      var seen: Set<Int32> = []
      var found: Set<BudgetKey> = []
      for index in 0..<count where wanted.count <= size {
        for budget in catalog.budgets(scope, name(index)) where seen.insert(budget.slot).inserted {
          take(.entry(budget))
        }
        for budget in dynamic.budgets(scope, name(index))
        where found.insert(budget.report.key).inserted {
          take(.dynamic(budget))
        }
      }
    }
    func takeAll(_ scope: BudgetScope) {
      let all = catalog.budgets(scope)
      let jump = min(all.count, start - skipped)
      skipped += jump
      for budget in all.dropFirst(jump) where wanted.count <= size {
        wanted.append(.entry(budget))
      }
    }
    if request.providerCount > 0 {
      takeNamed(.provider, count: request.providerCount) { request.provider(at: $0) }
    } else {
      takeAll(.provider)
    }
    if request.deploymentIDCount > 0 {
      takeNamed(.deployment, count: request.deploymentIDCount) { request.deploymentID(at: $0) }
    } else if request.includesDeployments {
      takeAll(.deployment)
    }
    if request.modelCount > 0 {
      takeNamed(.model, count: request.modelCount) { request.model(at: $0) }
    } else if request.includesModels {
      takeAll(.model)
    }
    if request.includesPools { takeAll(.pool) }
    if request.tagCount > 0 {
      takeNamed(.tag, count: request.tagCount) { request.tag(at: $0) }
    } else if request.includesTags {
      takeAll(.tag)
    }
    if request.includesPools { takeAll(.total) }
    for name in Self.frozenNames(request, in: catalog) where wanted.count <= size {
      take(.entry(name))
    }
    let hasMore = wanted.count > size
    budgets = hasMore ? Array(wanted.prefix(size)) : wanted
    nextToken = hasMore ? "\(Self.process).\(catalog.generation).\(start + size)" : ""
  }

  /// The names without a budget that are frozen, of those that a request asks for.
  private static func frozenNames(
    _ request: GetProviderBudgetsView, in catalog: BudgetCatalog
  ) -> [CatalogBudget] {
    func isAmong(_ name: String, _ count: Int, _ asked: (Int) -> NameBytes) -> Bool {
      NameBytes.with(name) { name in (0..<count).contains { asked($0) == name } }
    }
    return CatalogBudget.frozenNames(in: catalog).filter { budget in
      let name = budget.definition.key.name
      switch budget.definition.key.scope {
      case .provider:
        let count = request.providerCount
        return count == 0 || isAmong(name, count) { request.provider(at: $0) }
      case .deployment:
        let count = request.deploymentIDCount
        return count == 0 && request.includesDeployments
          || isAmong(name, count) { request.deploymentID(at: $0) }
      case .model:
        let count = request.modelCount
        return count == 0 && request.includesModels
          || isAmong(name, count) { request.model(at: $0) }
      case .tag:
        let count = request.tagCount
        return count == 0 && request.includesTags || isAmong(name, count) { request.tag(at: $0) }
      case .pool, .total: return request.includesPools
      }
    }
  }

  private static func start(
    _ token: NameBytes, in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> Int {
    if token.isEmpty { return 0 }
    let parts = token.text.split(separator: ".", omittingEmptySubsequences: false)
    guard token.isWellFormed, parts.count == 3, parts[0] == process,
      let generation = UInt64(parts[1]), let start = Int(parts[2]), start > 0
    else {
      throw ServiceRefusal(
        .invalidArgument, "page_token is not from this server: give next_page_token as it came")
    }
    guard generation == catalog.generation else {
      throw ServiceRefusal(
        .invalidArgument, "page_token is from before a reload of the config: start again without")
    }
    return start
  }
}
