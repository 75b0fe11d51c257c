import BudgetEngine
import BudgetModel
import Documents

/// Plays a scenario's steps through an engine of its own, in virtual time.
struct ScenarioPlayer {
  let engine: BudgetEngine
  private var question = FilterQuestion()
  private var decision = FilterDecision()
  /// Costs that count and are not spent yet, in the order of their commits.
  private var held: [Held] = []
  /// By their names in the trace.
  private var reservations: [String: ReservationID] = [:]
  private var round: CandidateRound?
  private var changes: ChangesPlayed

  private struct Held {
    var amount: PicoUSD
    var charged: ChargedSlots
    var committedAt: Timestamp
    /// Of the reservation that is settled; 0: none is.
    var settlement: UInt64 = 0
  }

  /// Starts the engine at the scenario's start, with the windows that it began with.
  init(configuration: BudgetConfiguration, windows: [BudgetWindowState], start: Timestamp) {
    engine = BudgetEngine(restoring: windows)
    changes = ChangesPlayed(engine, at: start)
    _ = engine.reload(configuration, at: start)
  }

  /// Time has come to `now`: what was committed by then is spent.
  mutating func advance(to now: Timestamp) {
    while let next = held.first, next.committedAt <= now {
      engine.expireReservations(atMost: .max, at: next.committedAt)
      engine.commit(next.amount, of: next.charged, at: next.committedAt)
      engine.settled(next.settlement, cost: next.amount)
      held.removeFirst()
    }
    engine.expireReservations(atMost: .max, at: now)
    changes.advance(to: now)
  }

  /// Another number than before: limits or modes are others since.
  var edition: Int { changes.edition }

  /// Makes an operator's change. Gives what is wrong with it; nil: it is in force.
  mutating func make(_ change: ScenarioChange, at now: Timestamp) -> String? {
    changes.make(change, at: now)
  }

  /// Records a cost. False: refused, nothing was charged.
  mutating func record(_ action: Scenario.RecordAction, at now: Timestamp) -> Bool {
    // The same bound as on the wire; a number that is not an amount is refused.
    guard let amount = try? PicoUSD(dollars: action.cost, atMost: .maximumRecord) else {
      return false
    }
    engine.sweepDynamicBudgets(atMost: Self.swept, at: now)
    engine.estimates.learn(amount, of: kind(of: action))
    let charged = charged(action, at: now)
    if let id = reservations[action.reservation] {
      let cost = Held(
        amount: amount, charged: charged, committedAt: max(now, action.committedAt ?? now))
      settle(cost, id, at: now)
      return true
    }
    if let committedAt = action.committedAt, committedAt > now {
      engine.addPending(amount, to: charged)
      hold(Held(amount: amount, charged: charged, committedAt: committedAt))
    } else {
      engine.record(amount, to: charged, at: now)
    }
    return true
  }

  private mutating func hold(_ cost: Held) {
    let place = held.lastIndex { $0.committedAt <= cost.committedAt }.map { $0 + 1 } ?? 0
    held.insert(cost, at: place)
  }

  private mutating func settle(_ cost: Held, _ id: ReservationID, at now: Timestamp) {
    guard
      case .pending(let settlement) = engine.addPending(
        cost.amount, to: cost.charged, settling: id, at: now)
    else {
      // The budgets were looked up in this moment.
      engine.record(cost.amount, to: cost.charged, at: now)
      return
    }
    var cost = cost
    cost.settlement = settlement.word
    hold(cost)
    advance(to: now)
  }

  /// Chooses a candidate, and holds back what it is expected to cost.
  mutating func reserve(
    _ action: Scenario.ReserveAction, at now: Timestamp
  ) -> StepResult.ReserveResult {
    let catalog = engine.catalog
    ask(action.filter, in: catalog)
    var round = exchange(&round, with: nil) ?? CandidateRound(at: now)
    defer { self.round = round }
    round.begin(at: now)
    round.ttl = action.ttlMilliseconds
    round.amounts = action.filter.candidates.map { amount(of: $0, action) }
    let question = question
    // Out of the player meanwhile, which looks names up.
    var decision = exchange(&self.decision, with: FilterDecision())
    let answer = engine.filterAndReserve(
      question, &round, in: catalog, into: &decision
    ) { position, charged in
      charged = self.charged(
        Self.names(of: action.filter.candidates[position], action.filter, in: catalog),
        action.filter.tags, at: now)
    }
    self.decision = decision
    guard case .held(let reservation) = answer, let candidate = reservation.candidate else {
      let amounts = round.amounts
      return StepResult.ReserveResult(
        message: message(action.filter, in: catalog) { amounts[$0].amount })
    }
    reservations[action.id] = reservation.id
    return StepResult.ReserveResult(
      chosen: action.filter.candidates[Int(candidate)].id, reserved: reservation.amount)
  }

  /// The amount that a step held for the candidate that a record is of; nil: it names no candidate.
  func amount(
    of action: Scenario.ReserveAction, settledBy record: Scenario.RecordAction
  ) -> ReservedAmount? {
    let candidates = action.filter.candidates
    // A trace of budgetd says which was chosen: a fallback is settled under another name.
    let chosen = action.filter.expected?["chosen"]?.text ?? record.deploymentID
    return (candidates.first { ExactText($0.id) == ExactText(chosen) } ?? candidates.first).map {
      amount(of: $0, action)
    }
  }

  private func amount(
    of candidate: Scenario.Candidate, _ action: Scenario.ReserveAction
  ) -> ReservedAmount {
    let given = candidate.estimate ?? action.amount ?? action.filter.estimate
    if candidate.estimate != nil || action.amount != nil || given > 0,
      let amount = try? PicoUSD(dollars: given, atMost: .maximumRecord)
    {
      return ReservedAmount(amount)
    }
    let catalog = engine.catalog
    return Self.names(of: candidate, action.filter, in: catalog).lend {
      engine.estimates.expected(CostKind(of: $0, in: catalog))
    }
  }

  /// The kind of a request that costs so much.
  func kind(of action: Scenario.RecordAction) -> CostKind {
    let catalog = engine.catalog
    let names = Names(
      id: action.deploymentID, modelName: action.modelName, model: "",
      provider: action.provider)
    return names.lend { CostKind(of: $0, in: catalog) }
  }

  /// Lets a reservation last longer.
  func extend(_ id: String, byMilliseconds ttl: Int64, at now: Timestamp) {
    if let id = reservations[id] { _ = engine.extend(id, by: ttl, at: now) }
  }

  /// Gives a reservation back.
  func release(_ id: String, at now: Timestamp) {
    if let id = reservations[id] { _ = engine.release(id, at: now) }
  }

  /// So many budgets that names have by patterns are looked at with each record, so that those that
  /// are over go.
  private static let swept = 64

  /// The budgets that a cost is charged to.
  func charged(_ action: Scenario.RecordAction, at now: Timestamp) -> ChargedSlots {
    charged(
      Names(
        id: action.deploymentID, modelName: action.modelName, model: "",
        provider: action.provider), action.tags, at: now)
  }

  private func charged(_ names: Names, _ tags: [String], at now: Timestamp) -> ChargedSlots {
    let catalog = engine.catalog
    var charged = ChargedSlots()
    names.lend { names in
      charged.add(catalog.candidate(names), in: catalog)
      if catalog.hasCandidatePatterns {
        charged.add(namesOf: names, in: catalog, of: engine, at: now)
      }
    }
    for tag in tags {
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

    func lend<Result>(_ body: (CandidateNames) -> Result) -> Result {
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
    ask(action, in: catalog)
    engine.filter(question, in: catalog, at: now, into: &decision)
    return StepResult.FilterResult(
      allowed: decision.allowed.map { action.candidates[Int($0)].id },
      message: decision.isExhausted
        ? message(action, in: catalog, estimate: { [question] _ in question.estimate }) : nil)
  }

  /// Whether one of a cost's names is frozen, which also those without a budget can be.
  mutating func isFrozen(_ action: Scenario.RecordAction, at now: Timestamp) -> Bool {
    let candidate = Scenario.Candidate(
      id: action.deploymentID, modelName: action.modelName, model: "", provider: "",
      resolvedProvider: action.provider)
    ask(
      Scenario.FilterAction(
        modelName: "", candidates: [candidate], tags: action.tags, estimate: 0, anyMessage: false),
      in: engine.catalog)
    engine.filter(question, in: engine.catalog, at: now, into: &decision)
    return decision.denials.contains { $0.mode == .freeze }
  }

  private static func names(
    of candidate: Scenario.Candidate, _ action: Scenario.FilterAction, in catalog: BudgetCatalog
  ) -> Names {
    Names(
      id: candidate.id,
      modelName: action.modelName.isEmpty ? candidate.modelName : action.modelName,
      model: candidate.resolvedProvider == nil ? candidate.model : "",
      provider: candidate.resolvedProvider ?? provider(of: candidate, in: catalog))
  }

  /// Puts the question of a step into `question`.
  private mutating func ask(_ action: Scenario.FilterAction, in catalog: BudgetCatalog) {
    question.begin()
    // An estimate that is not an amount estimates nothing, as an absent one.
    question.estimate = (try? PicoUSD(dollars: action.estimate, atMost: .maximumRecord)) ?? .zero
    for candidate in action.candidates {
      Self.names(of: candidate, action, in: catalog).lend { names in
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

  private func message(
    _ action: Scenario.FilterAction, in catalog: BudgetCatalog, estimate: (Int) -> PicoUSD
  ) -> String {
    var text = DenialText(maximumBytes: .max)
    for denial in decision.denials {
      let candidate = action.candidates[Int(denial.candidate)]
      text.add(
        denial, in: catalog,
        candidate: ConfiguredDeployment(
          id: candidate.id, modelName: candidate.modelName, model: candidate.model, provider: nil),
        estimate: estimate(Int(denial.candidate)))
    }
    text.finish(unlisted: Int(decision.denialsOmitted))
    return text.text
  }
}
