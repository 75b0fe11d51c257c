import BudgetEngine
import BudgetModel

/// Plays a scenario's steps through an engine of its own, in virtual time.
struct ScenarioPlayer {
  private let engine: BudgetEngine
  private var question = FilterQuestion()
  private var decision = FilterDecision()
  /// Costs that count and are not spent yet, in the order of their commits.
  private var held: [Held] = []

  private struct Held {
    var amount: PicoUSD
    var charged: ChargedSlots
    var committedAt: Timestamp
  }

  /// Starts the engine at the scenario's start, with the windows that it began with.
  init(configuration: BudgetConfiguration, windows: [BudgetWindowState], start: Timestamp) {
    engine = BudgetEngine(restoring: windows)
    _ = engine.reload(configuration, at: start)
  }

  /// Time has come to `now`: what was committed by then is spent.
  mutating func advance(to now: Timestamp) {
    while let next = held.first, next.committedAt <= now {
      engine.commit(next.amount, of: next.charged, at: next.committedAt)
      held.removeFirst()
    }
  }

  /// Records a cost. False: refused, nothing was charged.
  mutating func record(_ action: Scenario.RecordAction, at now: Timestamp) -> Bool {
    // The same bound as on the wire; a number that is not an amount is refused.
    guard let amount = try? PicoUSD(dollars: action.cost, atMost: .maximumRecord) else {
      return false
    }
    engine.sweepDynamicBudgets(atMost: Self.swept, at: now)
    let charged = charged(action, at: now)
    if let committedAt = action.committedAt, committedAt > now {
      engine.addPending(amount, to: charged)
      let place = held.lastIndex { $0.committedAt <= committedAt }.map { $0 + 1 } ?? 0
      held.insert(Held(amount: amount, charged: charged, committedAt: committedAt), at: place)
    } else {
      engine.record(amount, to: charged, at: now)
    }
    return true
  }

  /// So many budgets that names have by patterns are looked at with each record, so that those that
  /// are over go.
  private static let swept = 64

  private func charged(_ action: Scenario.RecordAction, at now: Timestamp) -> ChargedSlots {
    let catalog = engine.catalog
    var charged = ChargedSlots()
    let names = Names(
      id: action.deploymentID, modelName: action.modelName, model: "", provider: action.provider)
    names.lend { names in
      charged.add(catalog.candidate(names), in: catalog)
      if catalog.hasCandidatePatterns {
        charged.add(namesOf: names, in: catalog, of: engine, at: now)
      }
    }
    for tag in action.tags {
      NameBytes.with(tag) { tag in
        if let slot = catalog.tagSlot(tag) { charged.addTag(slot: slot, in: catalog) }
        if catalog.hasTagPatterns {
          charged.add(ScopedName(.tag, tag), in: catalog, of: engine, at: now)
        }
      }
    }
    charged.addTotal(in: catalog)
    return charged
  }

  /// The names of a candidate, as texts.
  private struct Names {
    var id: String
    var modelName: String
    var model: String
    var provider: String

    func lend(_ body: (CandidateNames) -> Void) {
      NameBytes.with(id) { id in
        NameBytes.with(modelName) { modelName in
          NameBytes.with(model) { model in
            NameBytes.with(provider) { provider in
              body(CandidateNames(id: id, modelName: modelName, model: model, provider: provider))
            }
          }
        }
      }
    }
  }

  /// Filters candidates.
  mutating func filter(
    _ action: Scenario.FilterAction, at now: Timestamp
  ) -> StepResult.FilterResult {
    let catalog = engine.catalog
    question.begin()
    // An estimate that is not an amount estimates nothing, as an absent one.
    question.estimate = (try? PicoUSD(dollars: action.estimate, atMost: .maximumRecord)) ?? .zero
    for candidate in action.candidates {
      let names = Names(
        id: candidate.id,
        modelName: action.modelName.isEmpty ? candidate.modelName : action.modelName,
        model: candidate.resolvedProvider == nil ? candidate.model : "",
        provider: candidate.resolvedProvider ?? Self.provider(of: candidate, in: catalog))
      names.lend { names in
        question.add(catalog.candidate(names))
        if catalog.hasCandidatePatterns { question.askCandidate(names, in: catalog) }
      }
    }
    for tag in action.tags {
      NameBytes.with(tag) { tag in
        let slot = catalog.tagSlot(tag)
        if catalog.hasTagPatterns {
          question.askTag(tag, first: slot, in: catalog)
        } else if let slot {
          question.addTag(slot: slot)
        }
      }
    }
    engine.filter(question, in: catalog, at: now, into: &decision)
    return StepResult.FilterResult(
      allowed: decision.allowed.map { action.candidates[Int($0)].id },
      message: decision.isExhausted ? message(action, in: catalog) : nil)
  }

  /// A trace's provider is LiteLLM's custom_llm_provider, to which LiteLLM has exceptions.
  private static func provider(
    of candidate: Scenario.Candidate, in catalog: BudgetCatalog
  ) -> String {
    if candidate.provider.isEmpty { return "" }
    return catalog.directory.provider(
      ofModel: candidate.model, customProvider: candidate.provider, apiBase: nil)
      ?? candidate.provider
  }

  /// The state of the providers' budgets: LiteLLM's endpoint shows no others.
  func budgets(at now: Timestamp) -> [BudgetReport] {
    engine.catalog.budgets(.provider).map { engine.report(on: $0, at: now) }
  }

  private func message(_ action: Scenario.FilterAction, in catalog: BudgetCatalog) -> String {
    var text = DenialText(maximumBytes: .max)
    for denial in decision.denials {
      let candidate = action.candidates[Int(denial.candidate)]
      text.add(
        denial, in: catalog,
        candidate: ConfiguredDeployment(
          id: candidate.id, modelName: candidate.modelName, model: candidate.model, provider: nil),
        estimate: question.estimate)
    }
    text.finish(unlisted: Int(decision.denialsOmitted))
    return text.text
  }
}
