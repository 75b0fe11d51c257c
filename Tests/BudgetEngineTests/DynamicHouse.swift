import BudgetModel

@testable import BudgetEngine

/// An engine with patterns, and what asks and charges it as a server does.
struct DynamicHouse {
  let engine: BudgetEngine

  /// The names of one request.
  struct Names {
    var provider = ""
    var modelName = ""
    var tags: [String] = []
  }

  init(
    _ patterns: [BudgetPattern], _ budgets: [BudgetDefinition] = [], bound: Int = 1_000,
    full: DynamicBudgetsFull = .open
  ) {
    engine = BudgetEngine(restoring: [], dynamicBudgets: bound)
    reload(patterns, budgets, full: full, at: 0)
  }

  init(restoring windows: [BudgetWindowState], bound: Int = 1_000) {
    engine = BudgetEngine(restoring: windows, dynamicBudgets: bound)
  }

  @discardableResult
  func reload(
    _ patterns: [BudgetPattern], _ budgets: [BudgetDefinition] = [],
    full: DynamicBudgetsFull = .open, at now: Int64
  ) -> ReloadReport {
    engine.reload(Self.configuration(patterns, budgets, full), at: Self.time(now))
  }

  static func configuration(
    _ patterns: [BudgetPattern], _ budgets: [BudgetDefinition] = [],
    _ full: DynamicBudgetsFull = .open
  ) -> BudgetConfiguration {
    let ordered = BudgetScope.inOrder.flatMap { scope in budgets.filter { $0.key.scope == scope } }
    let longest = patterns.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
    var configuration = BudgetConfiguration(
      budgets: ordered, patterns: longest, deployments: [], directory: .empty)
    configuration.dynamicBudgetsFull = full
    return configuration
  }

  static func time(_ now: Int64) -> Timestamp { Timestamp(unixMilliseconds: now) }

  static func pattern(
    _ scope: BudgetScope, _ name: String, _ limit: Int128?, _ window: String,
    _ mode: BudgetMode = .enforce
  ) throws -> BudgetPattern {
    BudgetPattern(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: limit.map { PicoUSD(pico: $0) }, mode: mode))
  }

  static func entry(
    _ scope: BudgetScope, _ name: String, _ limit: Int128?, _ window: String,
    _ mode: BudgetMode = .enforce
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: limit.map { PicoUSD(pico: $0) }, mode: mode), origin: .own)
  }

  /// The budgets that a record is charged to, looked up in `catalog`.
  func charged(_ names: Names, in catalog: BudgetCatalog, at now: Int64) -> ChargedSlots {
    var charged = ChargedSlots()
    charged.begin()
    withCandidate(names) { candidate in
      charged.add(catalog.candidate(candidate), in: catalog)
      if catalog.hasCandidatePatterns {
        charged.add(namesOf: candidate, in: catalog, of: engine, at: Self.time(now))
      }
    }
    for tag in names.tags {
      NameBytes.with(tag) { tag in
        if let slot = catalog.tagSlot(tag) { charged.addTag(slot: slot, in: catalog) }
        if catalog.hasTagPatterns {
          charged.add(ScopedName(.tag, tag), in: catalog, of: engine, at: Self.time(now))
        }
      }
    }
    charged.addTotal(in: catalog)
    return charged
  }

  private func withCandidate(_ names: Names, _ body: (CandidateNames) -> Void) {
    NameBytes.with(names.provider) { provider in
      NameBytes.with(names.modelName) { modelName in
        body(
          CandidateNames(
            id: .absent, modelName: modelName, model: .absent, provider: provider))
      }
    }
  }

  func record(_ pico: Int128, tags: [String], at now: Int64) {
    record(pico, Names(tags: tags), at: now)
  }

  func record(_ pico: Int128, _ names: Names, at now: Int64) {
    while true {
      let charged = charged(names, in: engine.catalog, at: now)
      if engine.record(PicoUSD(pico: pico), to: charged, at: Self.time(now)) { return }
    }
  }

  /// Looks up and makes pending, as a lane does for the ledger's queue.
  func pend(_ pico: Int128, _ names: Names, at now: Int64) -> ChargedSlots {
    while true {
      let charged = charged(names, in: engine.catalog, at: now)
      if engine.addPending(PicoUSD(pico: pico), to: charged) { return charged }
    }
  }

  func decision(_ names: Names, estimate: Int128 = 0, at now: Int64) -> FilterDecision {
    let catalog = engine.catalog
    var question = FilterQuestion()
    question.begin()
    question.estimate = PicoUSD(pico: estimate)
    withCandidate(names) { candidate in
      question.add(catalog.candidate(candidate))
      if catalog.hasCandidatePatterns {
        question.askCandidate(candidate, in: catalog)
      }
    }
    for tag in names.tags {
      NameBytes.with(tag) { tag in
        let slot = catalog.tagSlot(tag)
        if catalog.hasTagPatterns {
          question.askTag(tag, first: slot, in: catalog)
        } else if let slot {
          question.addTag(slot: slot)
        }
      }
    }
    var decision = FilterDecision()
    engine.filter(question, in: catalog, at: Self.time(now), into: &decision)
    return decision
  }

  /// The sentences of the denials of one candidate; none: it is allowed.
  func denials(_ tags: [String], estimate: Int128 = 0, at now: Int64) -> [String] {
    decision(Names(tags: tags), estimate: estimate, at: now).denials.map { denial in
      var text = DenialText(maximumBytes: 8_192)
      text.add(
        denial, in: engine.catalog,
        candidate: ConfiguredDeployment(id: "d", modelName: "m", model: "m", provider: nil),
        estimate: PicoUSD(pico: estimate))
      return String(text.text.dropFirst(DenialText.prefix.count).dropLast())
    }
  }

  func reading(at now: Int64) -> DynamicReading {
    DynamicReading(of: engine, in: engine.catalog, at: Self.time(now))
  }

  /// The spend of a dynamic budget; nil where it is not live.
  func spend(_ scope: BudgetScope, _ name: String, _ window: String, at now: Int64) -> Int128? {
    NameBytes.with(name) { reading(at: now).budgets(scope, $0) }.first {
      $0.report.key.windowText == window
    }?.report.spend.pico
  }

  /// The spend of an entry's budget, or a pattern's own.
  func entrySpend(_ scope: BudgetScope, _ name: String, _ window: String, at now: Int64) -> Int128?
  {
    NameBytes.with(name) { engine.catalog.budgets(scope, $0) }
      .first { $0.definition.key.windowText == window }
      .map { engine.report(on: $0, at: Self.time(now)).spend.pico }
  }

  /// Sweeps every row there is.
  @discardableResult
  func sweepAll(at now: Int64) -> Int {
    (0..<128).reduce(0) { sum, _ in
      sum + engine.sweepDynamicBudgets(atMost: 100_000, at: Self.time(now))
    }
  }
}
