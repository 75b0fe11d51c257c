import BudgetEngine
import BudgetModel
import BudgetWire

/// Asks every budget that a filter request would ask, and puts down what each says.
struct RequestExplainer {
  let engine: BudgetEngine
  let catalog: BudgetCatalog
  let estimate: PicoUSD
  let now: Timestamp
  /// Tags come before candidates: whether these are allowed depends on them.
  private(set) var result = ExplainRequestResponse()
  /// Whether any budget had a say.
  private(set) var hasBudget = false
  private var tags: Set<[UInt8]> = []
  private var isTagDenied = false

  init(engine: BudgetEngine, catalog: BudgetCatalog, estimate: PicoUSD, now: Timestamp) {
    self.engine = engine
    self.catalog = catalog
    self.estimate = estimate
    self.now = now
  }

  /// Adds a tag, unless it was added before or is absent.
  mutating func addTag(_ tag: NameBytes) {
    var bytes: [UInt8] = []
    tag.append(to: &bytes)
    guard !tag.isEmpty, tags.insert(bytes).inserted else { return }
    let explained = explain(.tag, tag, catalog.tagBudget(tag))
    if explained.verdict == .denies { isTagDenied = true }
    result.tags.append(explained)
  }

  /// Adds a candidate as the request names it.
  mutating func add(_ deployment: DeploymentNames) {
    let (id, model, given) = (deployment.id, deployment.model, deployment.provider)
    // As the filter resolves it: an explicit provider needs no derivation.
    let usable = given.isEmpty && model.isWellFormed ? model : .absent
    let slots = catalog.candidate(id: id, model: usable, provider: given)
    let provider = catalog.providerName(id: id, model: usable, provider: given)
    var budgets: [ExplainedBudget] = []
    if let provider {
      budgets.append(
        given.isEmpty
          ? NameBytes.with(provider) { explain(.provider, $0, catalog.providerBudget(of: slots)) }
          : explain(.provider, given, catalog.providerBudget(of: slots)))
    } else {
      budgets.append(
        ExplainedBudget(
          scope: .provider, name: "", verdict: model.isWellFormed ? .noBudget : .unusableName,
          reason: Self.reason(noProviderOf: model)))
    }
    if !id.isEmpty { budgets.append(explain(.deployment, id, catalog.deploymentBudget(of: slots))) }
    add(
      Deployment(
        id: id.printable, modelName: deployment.modelName.printable, model: model.printable,
        provider: given.printable), provider: provider, budgets)
  }

  /// Adds a candidate of the configuration's own.
  mutating func addConfigured(_ index: Int32) {
    let deployments = catalog.deployments
    let slots = catalog.candidate(at: index)
    let deployment = deployments[Int(index)]
    var budgets: [ExplainedBudget] = []
    if let provider = deployment.provider {
      budgets.append(
        NameBytes.with(provider) { explain(.provider, $0, catalog.providerBudget(of: slots)) })
    } else {
      budgets.append(
        ExplainedBudget(
          scope: .provider, name: "", verdict: .noBudget,
          reason: NameBytes.with(deployment.model) { Self.reason(noProviderOf: $0) }))
    }
    budgets.append(
      NameBytes.with(deployment.id) {
        explain(.deployment, $0, catalog.deploymentBudget(of: slots))
      })
    add(
      Deployment(
        id: deployment.id, modelName: deployment.modelName, model: deployment.model,
        provider: deployment.provider ?? ""), provider: deployment.provider, budgets)
  }

  private mutating func add(
    _ deployment: Deployment, provider: String?, _ budgets: [ExplainedBudget]
  ) {
    result.candidates.append(
      ExplainedCandidate(
        deployment, provider: provider ?? "",
        isAllowed: !isTagDenied && budgets.allSatisfy { $0.verdict != .denies }, budgets: budgets))
  }

  private mutating func explain(
    _ scope: BudgetScope, _ name: NameBytes, _ budget: CatalogBudget?
  ) -> ExplainedBudget {
    guard let budget else {
      let fault = name.fault
      return ExplainedBudget(
        scope: scope, name: name.printable, verdict: fault == nil ? .noBudget : .unusableName,
        reason: fault.map { "the name \($0)" } ?? "")
    }
    hasBudget = true
    let verdict = engine.verdict(of: budget, estimate: estimate, at: now)
    var explained = ExplainedBudget(
      scope: scope, name: verdict.key.name, verdict: verdict.denies ? .denies : .allows)
    explained.timePeriod = verdict.key.windowText
    explained.spendUSD = verdict.compared.dollars
    explained.pendingUSD = verdict.pending.dollars
    explained.limitUSD = verdict.limit?.dollars
    explained.withheldUSD = verdict.withheld.dollars
    explained.resetsAtUnixMilliseconds = verdict.resetsAt?.unixMilliseconds
    return explained
  }

  private static func reason(noProviderOf model: NameBytes) -> String {
    if model.isEmpty { return "no provider and no model are given" }
    if let fault = model.fault { return "the model's name \(fault)" }
    return "no provider is given and none follows from the model"
  }
}
