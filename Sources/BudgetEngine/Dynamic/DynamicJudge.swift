import BudgetModel

/// Judges a request by dynamic budgets, beside those of entries.
struct DynamicJudge {
  let engine: BudgetEngine
  let catalog: BudgetCatalog
  let asking: FilterAsking
  /// The dynamic budgets of the question.
  let checks: [DynamicCheck]

  /// Asks a tag that patterns have a say about.
  @inline(never)
  func ask(_ tag: NamedBudgets, hasFree: Bool, into decision: inout FilterDecision) {
    guard let denial = denial(by: tag, .tag) else { return }
    decision.common.append(denial)
    guard hasFree else { return }
    if let frozen = frozenDenial(of: tag, denial) { decision.frozen.append(frozen) }
  }

  /// The denial of a candidate whose names match patterns; `denial` is that of its provider's
  /// entries.
  @inline(never)
  func denial(
    ofCandidate index: Int, _ question: borrowing FilterQuestion, after denial: BudgetDenial?
  ) -> BudgetDenial? {
    let candidate = question.candidates[index]
    let checks =
      index < question.candidateChecks.count
      ? question.candidateChecks[index] : CandidateChecks()
    if let own = earlier(denial, dynamicDenial(checks.provider, .provider)) { return own }
    if candidate.deployment != Slot.none, !asking.passes(candidate.deployment, in: catalog),
      let own = engine.denial(by: candidate.deployment, .deployment, asking, in: catalog)
    {
      return own
    }
    if checks.model.isEmpty { return engine.sharedDenial(of: candidate, asking, in: catalog) }
    let model = NamedBudgets(first: candidate.model, checks: checks.model)
    if let own = self.denial(by: model, .model),
      let kept = candidate.isFree ? frozenDenial(of: model, own) : own
    {
      return kept
    }
    return engine.poolDenial(of: candidate, asking, in: catalog)
  }

  /// The first denial by the budgets of a name, entries' and dynamic ones.
  private func denial(
    by name: NamedBudgets, _ scope: BudgetScope
  ) -> BudgetDenial? {
    let isOpen = name.first == Slot.none || asking.passes(name.first, in: catalog)
    let own = isOpen ? nil : engine.denial(by: name.first, scope, asking, in: catalog)
    return earlier(own, dynamicDenial(name.checks, scope))
  }

  /// That of LiteLLM's own budget, else that of the shorter window.
  private func earlier(
    _ own: BudgetDenial?, _ dynamic: (denial: BudgetDenial, rule: WindowRule)?
  ) -> BudgetDenial? {
    guard let own else { return dynamic?.denial }
    guard let dynamic else { return own }
    let definition = catalog.configured(of: own.slot)
    let isFirst = definition.origin == .liteLLM || !dynamic.rule.isShorter(than: definition.rule)
    return isFirst ? own : dynamic.denial
  }

  /// The first denial by the dynamic budgets of a name, and the rule of its windows.
  private func dynamicDenial(
    _ places: Range<Int>, _ scope: BudgetScope
  ) -> (denial: BudgetDenial, rule: WindowRule)? {
    for place in places {
      let check = checks[place]
      if let denial = dynamicDenial(check, scope) {
        return (denial, catalog.patterns.definitions[Int(check.pattern)].rule)
      }
    }
    return nil
  }

  private func frozenDenial(
    of name: NamedBudgets, _ denial: BudgetDenial
  ) -> BudgetDenial? {
    if denial.mode == .freeze { return denial }
    for place in name.checks {
      let check = checks[place]
      if policy(check).mode == .freeze {
        return dynamicDenial(check, denial.scope)
      }
    }
    // That of an entry may be behind it, or before.
    guard name.first != Slot.none,
      let own = engine.denial(by: name.first, denial.scope, asking, in: catalog)
    else { return nil }
    return engine.frozenDenial(from: own, denial.scope, asking, in: catalog)
  }

  /// The limit and mode in force of a dynamic budget.
  private func policy(_ check: DynamicCheck) -> (limit: PicoUSD, mode: BudgetMode) {
    catalog.policies.inForce(
      ofDynamic: check.slot, under: catalog.patterns.policy(Int(check.pattern)))
  }

  /// The denial by one dynamic budget, or by what would be one. The pattern speaks for a name that
  /// has none.
  private func dynamicDenial(
    _ check: DynamicCheck, _ scope: BudgetScope
  ) -> BudgetDenial? {
    let patterns = catalog.patterns
    let number = Int(check.pattern)
    let (limit, mode) = policy(check)
    if limit == BudgetCatalog.unlimited, mode != .freeze { return nil }
    var denial = BudgetDenial(
      candidate: 0, scope: scope, slot: patterns.overflows[number], spend: .zero, limit: limit,
      mode: mode, resetsAt: nil)
    if check.slot != Slot.none,
      let state = engine.shards.standing(of: check.slot, life: check.life, at: asking.now)
    {
      (denial.slot, denial.life, denial.home) = (check.slot, check.life, state.home)
      denial.spend = state.spend
      denial.withheld = state.withheld
      denial.reserved = state.reserved
      denial.resetsAt = state.resetsAt
    } else {
      denial.resetsAt = patterns.definitions[number].rule.standingWindow(at: asking.now)?.end
      denial.isForWantOfRoom =
        mode != .freeze && patterns.full == .deny && catalog.dynamic.isFull
    }
    guard
      mode == .freeze || denial.isForWantOfRoom
        || FilterAsking.denies(denial.spend, limit: limit, estimate: asking.estimate)
    else { return nil }
    if mode == .shadow {
      engine.shards.countShadowed(patterns.overflows[number])
      return nil
    }
    return denial
  }
}
