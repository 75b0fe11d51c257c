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
    let catalog = engine.catalog
    var charged = ChargedSlots()
    charged.add(
      NameBytes.with(action.provider) { provider in
        NameBytes.with(action.deploymentID) { id in
          catalog.candidate(CandidateNames(id: id, model: .absent, provider: provider))
        }
      }, in: catalog)
    for tag in action.tags {
      if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) {
        charged.addTag(slot: slot, in: catalog)
      }
    }
    charged.addTotal(in: catalog)
    if let committedAt = action.committedAt, committedAt > now {
      engine.addPending(amount, to: charged)
      let place = held.lastIndex { $0.committedAt <= committedAt }.map { $0 + 1 } ?? 0
      held.insert(Held(amount: amount, charged: charged, committedAt: committedAt), at: place)
    } else {
      engine.record(amount, to: charged, at: now)
    }
    return true
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
      if let resolved = candidate.resolvedProvider {
        question.add(
          NameBytes.with(candidate.id) { id in
            NameBytes.with(resolved) { provider in
              catalog.candidate(CandidateNames(id: id, model: .absent, provider: provider))
            }
          })
        continue
      }
      // A trace's provider is LiteLLM's custom_llm_provider, to which LiteLLM has exceptions.
      let explicit =
        candidate.provider.isEmpty
        ? ""
        : catalog.directory.provider(
          ofModel: candidate.model, customProvider: candidate.provider, apiBase: nil)
          ?? candidate.provider
      question.add(
        NameBytes.with(candidate.id) { id in
          NameBytes.with(candidate.model) { model in
            NameBytes.with(explicit) { provider in
              catalog.candidate(CandidateNames(id: id, model: model, provider: provider))
            }
          }
        })
    }
    for tag in action.tags {
      if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) { question.addTag(slot: slot) }
    }
    engine.filter(question, in: catalog, at: now, into: &decision)
    return StepResult.FilterResult(
      allowed: decision.allowed.map { action.candidates[Int($0)].id },
      message: decision.isExhausted ? message(action, in: catalog) : nil)
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
