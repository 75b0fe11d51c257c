import BudgetEngine
import BudgetModel
import BudgetWire

/// Asks every budget that a filter request would ask, and puts down what each says.
struct RequestExplainer {
  let engine: BudgetEngine
  let catalog: BudgetCatalog
  let estimate: PicoUSD
  let now: Timestamp
  /// Tags and the total come before candidates: whether these are allowed depends on them.
  private(set) var result = ExplainRequestResponse()
  /// Whether any budget had a say.
  private(set) var hasBudget = false
  private var tags: Set<[UInt8]> = []
  /// Whether a tag or the total denies, and whether one that is frozen does.
  private var isCommonDenied = false
  private var isCommonFrozen = false

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
    addCommon(explain(.tag, tag, catalog.budgets(.tag, tag)))
  }

  /// Adds the budgets of everything together, if there are any.
  mutating func addTotal() {
    let budgets = NameBytes.with(BudgetKey.totalName) { catalog.budgets(.total, $0) }
    addCommon(budgets.map { explain($0) })
  }

  private mutating func addCommon(_ budgets: [ExplainedBudget]) {
    for budget in budgets where budget.verdict == .denies {
      isCommonDenied = true
      if budget.mode == .freeze { isCommonFrozen = true }
    }
    result.tags += budgets
  }

  /// Adds a candidate as the request names it; `modelName` is the request's own, if it gives one.
  mutating func add(_ deployment: DeploymentNames, askedAs modelName: NameBytes) {
    let (id, model, given) = (deployment.id, deployment.model, deployment.provider)
    // As the filter resolves it: an explicit provider needs no derivation.
    let usable = given.isEmpty && model.isWellFormed ? model : .absent
    let names = CandidateNames(
      id: id, modelName: modelName.isEmpty ? deployment.modelName : modelName,
      model: model.isWellFormed ? model : .absent, provider: given)
    var slots = catalog.candidate(names)
    if deployment.isFree { slots.isFree = true }
    let provider = catalog.providerName(id: id, model: usable, provider: given)
    var budgets: [ExplainedBudget] = []
    if let provider {
      let found = catalog.budgets(.provider, of: slots)
      budgets +=
        given.isEmpty
        ? NameBytes.with(provider) { explain(.provider, $0, found) }
        : explain(.provider, given, found)
    } else {
      budgets.append(
        ExplainedBudget(
          scope: .provider, name: "", verdict: model.isWellFormed ? .noBudget : .unusableName,
          reason: Self.reason(noProviderOf: model)))
    }
    if !id.isEmpty {
      budgets += explain(.deployment, id, catalog.budgets(.deployment, of: slots))
    }
    add(
      Deployment(
        id: id.printable, modelName: deployment.modelName.printable, model: model.printable,
        provider: given.printable, isFree: deployment.isFree),
      provider: provider, budgets, (slots, modelBudgets(of: names.usable)))
  }

  /// Adds a candidate of the configuration's own.
  mutating func addConfigured(_ index: Int32, askedAs modelName: NameBytes) {
    let slots = catalog.candidate(at: index, askedAs: modelName)
    let deployment = catalog.deployments[Int(index)]
    var budgets: [ExplainedBudget] = []
    if let provider = deployment.provider {
      budgets += NameBytes.with(provider) {
        explain(.provider, $0, catalog.budgets(.provider, of: slots))
      }
    } else {
      budgets.append(
        ExplainedBudget(
          scope: .provider, name: "", verdict: .noBudget,
          reason: NameBytes.with(deployment.model) { Self.reason(noProviderOf: $0) }))
    }
    budgets += NameBytes.with(deployment.id) {
      explain(.deployment, $0, catalog.budgets(.deployment, of: slots))
    }
    add(
      Deployment(
        id: deployment.id, modelName: deployment.modelName, model: deployment.model,
        provider: deployment.provider ?? "", isFree: deployment.isFree),
      provider: deployment.provider, budgets,
      (
        slots,
        NameBytes.with(deployment.id) {
          modelBudgets(
            of: CandidateNames(id: $0, modelName: modelName, model: .absent, provider: .absent))
        }
      ))
  }

  private mutating func add(
    _ deployment: Deployment, provider: String?, _ own: [ExplainedBudget],
    _ others: (slots: CandidateSlots, dynamic: [ExplainedBudget])
  ) {
    let slots = others.slots
    let shared =
      catalog.budgets(.model, of: slots).map { explain($0) } + others.dynamic
      + catalog.budgets(.pool, of: slots).map { explain($0) }
    let isDenied =
      own.contains { $0.verdict == .denies }
      || shared.contains { $0.verdict == .denies && (!slots.isFree || $0.mode == .freeze) }
    result.candidates.append(
      ExplainedCandidate(
        deployment, provider: provider ?? "",
        isAllowed: !isDenied && !(slots.isFree ? isCommonFrozen : isCommonDenied),
        budgets: own + shared))
  }

  /// The verdicts of a name's budgets; where it has none, that it has none.
  private mutating func explain(
    _ scope: BudgetScope, _ name: NameBytes, _ budgets: [CatalogBudget]
  ) -> [ExplainedBudget] {
    let dynamic = reading.verdicts(scope, name, estimate: estimate).map { explain($0, $1) }
    guard budgets.isEmpty, dynamic.isEmpty else { return budgets.map { explain($0) } + dynamic }
    let fault = name.fault
    return [
      ExplainedBudget(
        scope: scope, name: name.printable, verdict: fault == nil ? .noBudget : .unusableName,
        reason: fault.map { "the name \($0)" } ?? "")
    ]
  }

  private var reading: DynamicReading { DynamicReading(of: engine, in: catalog, at: now) }

  /// The budgets that patterns give the public model name of a candidate.
  private mutating func modelBudgets(of names: CandidateNames) -> [ExplainedBudget] {
    reading.modelVerdicts(of: names, estimate: estimate).map { explain($0, $1) }
  }

  private mutating func explain(_ budget: CatalogBudget) -> ExplainedBudget {
    explain(
      engine.verdict(of: budget, estimate: estimate, at: now), budget.definition.policy.mode)
  }

  private mutating func explain(_ verdict: BudgetVerdict, _ mode: BudgetMode) -> ExplainedBudget {
    hasBudget = true
    var explained = ExplainedBudget(
      scope: verdict.key.scope, name: verdict.key.name, verdict: verdict.denies ? .denies : .allows)
    explained.timePeriod = verdict.key.windowText
    explained.spendUSD = verdict.compared.dollars
    explained.pendingUSD = verdict.pending.dollars
    explained.limitUSD = verdict.limit?.dollars
    explained.withheldUSD = verdict.withheld.dollars
    explained.reservedUSD = verdict.reserved.dollars
    explained.resetsAtUnixMilliseconds = verdict.resetsAt?.unixMilliseconds
    explained.mode = mode
    return explained
  }

  private static func reason(noProviderOf model: NameBytes) -> String {
    if model.isEmpty { return "no provider and no model are given" }
    if let fault = model.fault { return "the model's name \(fault)" }
    return "no provider is given and none follows from the model"
  }
}
