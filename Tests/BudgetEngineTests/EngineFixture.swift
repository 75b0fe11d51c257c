import BudgetEngine
import BudgetModel

/// An engine and the ways in and out that tests need, by text.
struct EngineFixture {
  let engine: BudgetEngine
  var decision = FilterDecision()

  init(
    _ budgets: [BudgetDefinition], deployments: [ConfiguredDeployment] = [],
    reservations: ReservationSettings = ReservationSettings()
  ) {
    engine = BudgetEngine(
      configuration: Self.configuration(budgets, deployments: deployments),
      reservations: reservations, at: at(0))
  }

  static func configuration(
    _ budgets: [BudgetDefinition], deployments: [ConfiguredDeployment] = []
  ) -> BudgetConfiguration {
    // Deployment budgets belong to entries of the model list.
    var entries = deployments
    for budget in budgets where budget.key.scope == .deployment {
      if !entries.contains(where: { $0.id == budget.key.name }) {
        entries.append(
          ConfiguredDeployment(
            id: budget.key.name, modelName: "group", model: "x/y", provider: "x"))
      }
    }
    return BudgetConfiguration(budgets: budgets, deployments: entries, directory: .empty)
  }

  func reload(_ budgets: [BudgetDefinition], at now: Timestamp) -> ReloadReport {
    engine.reload(Self.configuration(budgets), at: now)
  }

  func charged(
    provider: String = "", deployment: String = "", tags: [String] = []
  ) -> ChargedSlots {
    let catalog = engine.catalog
    var charged = ChargedSlots()
    charged.begin()
    charged.add(
      NameBytes.with(provider) { provider in
        NameBytes.with(deployment) {
          catalog.candidate(CandidateNames(id: $0, model: .absent, provider: provider))
        }
      }, in: catalog)
    for tag in tags {
      if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) {
        charged.addTag(slot: slot, in: catalog)
      }
    }
    charged.addTotal(in: catalog)
    return charged
  }

  func record(
    _ pico: Int128, provider: String = "", deployment: String = "", tags: [String] = [],
    at now: Timestamp
  ) {
    engine.record(
      PicoUSD(pico: pico),
      to: charged(provider: provider, deployment: deployment, tags: tags), at: now)
  }

  /// Filters candidates given as (provider, deployment).
  mutating func filter(
    _ candidates: [(String, String)], tags: [String] = [], estimate: Int128 = 0,
    maximumDenials: Int = .max, at now: Timestamp
  ) -> FilterDecision {
    let catalog = engine.catalog
    var question = FilterQuestion()
    question.begin()
    question.estimate = PicoUSD(pico: estimate)
    question.maximumDenials = maximumDenials
    for (provider, deployment) in candidates {
      question.add(
        NameBytes.with(provider) { provider in
          NameBytes.with(deployment) {
            catalog.candidate(CandidateNames(id: $0, model: .absent, provider: provider))
          }
        })
    }
    for tag in tags {
      if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) { question.addTag(slot: slot) }
    }
    engine.filter(question, in: catalog, at: now, into: &decision)
    return decision
  }

  func report(_ scope: BudgetScope, _ name: String, at now: Timestamp) -> BudgetReport? {
    NameBytes.with(name) { engine.catalog.budget(scope, $0) }
      .map { engine.report(on: $0, at: now) }
  }
}

/// An instant, in seconds of virtual time.
func at(_ seconds: Double) -> Timestamp {
  Timestamp(unixMilliseconds: 1_768_435_200_000 + Int64(seconds * 1_000))
}

/// A budget; `limit` in pico-dollars.
func budget(
  _ scope: BudgetScope, _ name: String, _ limit: Int128?, _ window: String
) throws -> BudgetDefinition {
  BudgetDefinition(
    key: BudgetKey(scope: scope, name: name, windowText: window),
    windowLength: try WindowLength(text: window), limit: limit.map { PicoUSD(pico: $0) })
}

extension DenialText {
  /// Adds the sentence for a denial of a configured deployment by a budget of this name.
  mutating func add(
    _ denial: BudgetDenial, name: String, window: String? = nil, candidate: ConfiguredDeployment,
    estimate: PicoUSD
  ) {
    NameBytes.with(candidate.id) { id in
      NameBytes.with(candidate.modelName) { modelName in
        NameBytes.with(candidate.model) { model in
          NameBytes.with(name) { name in
            add(
              denial, by: Denier(name: name, window: window),
              candidate: Candidate(id: id, modelName: modelName, model: model), estimate: estimate)
          }
        }
      }
    }
  }
}
