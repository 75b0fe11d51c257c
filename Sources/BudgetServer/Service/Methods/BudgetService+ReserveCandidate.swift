import Access
import BudgetEngine
import BudgetModel
import BudgetWire

// FilterDeployments with `reserve`: the answer names one candidate, and what it is expected to cost is
// held back in the same step.

extension BudgetService {
  /// Reserving takes the role that ReserveSpend takes, whichever method asks for it.
  func checkMayReserve(_ call: Call) throws(ServiceRefusal) {
    guard let least = MethodName.reserveSpend.leastRole, let role = gate.role(of: call.connection)
    else { return }
    guard role >= least else {
      throw ServiceRefusal(
        .permissionDenied,
        "this client's role is \(role): FilterDeployments with reserve needs \(least)")
    }
  }

  /// The fate of a choice.
  enum Choosing {
    case answered
    /// The names are to be looked up anew.
    case outdated
    /// The fleet is to be asked for what the request `lacks`.
    case lacking
  }

  /// Chooses the first candidate of `asked` that every budget has room for.
  @inline(never)
  mutating func reserveCandidate(
    _ asked: QuestionResolver.Asked, _ head: RequestHead, in catalog: BudgetCatalog,
    output: inout [UInt8]
  ) throws(ServiceRefusal) -> Choosing {
    let moment = ReservationMoment(catalog: catalog, now: now())
    var round = exchange(&reserving.round, with: nil) ?? context.round(moment)
    defer { reserving.round = round }
    round.begin(moment)
    round.ttl = try ReservationTerms.ttl(filter.reserve.ttlMilliseconds, field: "reserve_ttl_ms")
    round.key = try ReservationTerms.key(filter.reserve.idempotencyKey, of: head)
    try addAmounts(of: asked.candidates, to: &round)
    let answer = try choose(asked, head, with: &round)
    var made: Reservation?
    switch answer {
    case .outdated: return .outdated
    case .deferred: return note(lacking: round.lacking, for: round.ttl) ? .lacking : .outdated
    case .known(let reservation): try tell(reservation, in: catalog)
    case .held(let reservation):
      made = reservation
      try tell(reservation, in: catalog)
    case .denied:
      fillReply(in: catalog)
      denialText.begin(under: catalog.edition)
      denialText.add(decision, of: asked.candidates, in: catalog) { round.amounts[$0].amount }
      exhaust()
    case let other: throw ServiceRefusal(notReserved: other)
    }
    if let trace = context.trace, made != nil || decision.isExhausted {
      var traced = try traced(head, asked.candidates, estimate: .zero, in: catalog)
      traced.reserve = TracedReserve(
        id: made?.id.text, chosen: made?.candidate, ttlMilliseconds: round.ttl,
        amounts: round.amounts.map(\.amount))
      trace.filtered(traced, at: moment.now)
    }
    appendReply(callID: head.callID, output: &output)
    return .answered
  }

  private mutating func choose(
    _ asked: QuestionResolver.Asked, _ head: RequestHead, with round: inout CandidateRound
  ) throws(ServiceRefusal) -> ReservationAnswer {
    let question = filter.question
    let engine = context.engine
    var decision = FilterDecision()
    swap(&decision, &self.decision)
    defer { swap(&decision, &self.decision) }
    let answer: ReservationAnswer
    if question.dependsOnPatterns {
      var charges = CandidateCharges(
        candidates: asked.candidates, moment: round.moment, engine: engine)
      try charges.readNames(head, with: &reader)
      answer = engine.filterAndReserve(question, &round, into: &decision) { position, charged in
        charges.add(position, question.candidates[position], to: &charged)
      }
    } else {
      answer = engine.filterAndReserve(question, &round, into: &decision) { _, _ in }
    }
    // One that waits is served again.
    if answer != .deferred { counts.countContradictions(question.contradictions) }
    return answer
  }

  /// Tells which candidate was chosen, and why those before it were not.
  private mutating func tell(
    _ reservation: Reservation, in catalog: BudgetCatalog
  ) throws(ServiceRefusal) {
    guard let candidate = reservation.candidate, candidate < filter.question.candidates.count
    else {
      throw ServiceRefusal(
        .aborted,
        "the configuration has changed since idempotency_key was used: ask again with another key")
    }
    addDenials(in: catalog)
    reserving.reply.tell(of: reservation)
    filter.reply.choose(candidate, reserving.reply)
  }

  /// Notes for each candidate what is to be held: its own estimate, the request's, or what such
  /// requests have cost.
  private func addAmounts(
    of candidates: RequestCandidates, to round: inout CandidateRound
  ) throws(ServiceRefusal) {
    var usual: ReservedAmount?
    if let dollars = filter.reserve.amountUSD {
      usual = ReservedAmount(try ServiceRefusal.amount(dollars, field: "reserve_usd"))
    } else if filter.question.estimate > .zero {
      usual = ReservedAmount(filter.question.estimate)
    }
    if let usual, !filter.hasEstimates {
      round.amounts.append(
        contentsOf: repeatElement(usual, count: filter.question.candidates.count))
      return try checkHasCandidate(round)
    }
    var refusal: ServiceRefusal?
    candidates.forEach(in: round.moment.catalog) { names in
      guard let own = names.estimatedCostUSD else {
        return round.amounts.append(usual ?? expected(names, in: round.moment.catalog))
      }
      do throws(ServiceRefusal) {
        let amount = try ServiceRefusal.amount(own, field: "estimated_cost_usd of a deployment")
        round.amounts.append(ReservedAmount(amount))
      } catch {
        refusal = error
      }
    }
    if let refusal { throw refusal }
    try checkHasCandidate(round)
  }

  private func checkHasCandidate(_ round: borrowing CandidateRound) throws(ServiceRefusal) {
    if round.amounts.isEmpty {
      throw ServiceRefusal(
        .invalidArgument, "reserve without a candidate: give deployments, or a model_name")
    }
  }

  private func expected(_ names: DeploymentNames, in catalog: BudgetCatalog) -> ReservedAmount {
    let names = CandidateNames(
      id: names.id, modelName: names.modelName, model: names.model, provider: names.provider)
    return context.engine.estimates.expected(CostKind(of: names.usable, in: catalog))
  }
}
