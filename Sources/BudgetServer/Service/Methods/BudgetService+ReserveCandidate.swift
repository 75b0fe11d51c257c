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
    let now = now()
    var round = exchange(&reserving.round, with: nil) ?? context.round(at: now)
    round.begin(at: now)
    let choosing: Choosing
    do throws(ServiceRefusal) {
      choosing = try reserveCandidate(asked, head, in: catalog, with: &round)
    } catch {
      reserving.round = consume round
      throw error
    }
    // Moved, not copied: each of its lists would have its references counted.
    reserving.round = consume round
    if choosing == .answered { appendReply(callID: head.callID, output: &output) }
    return choosing
  }

  /// The same, up to the reply's bytes.
  private mutating func reserveCandidate(
    _ asked: QuestionResolver.Asked, _ head: RequestHead, in catalog: BudgetCatalog,
    with round: inout CandidateRound
  ) throws(ServiceRefusal) -> Choosing {
    round.ttl = try ReservationTerms.ttl(filter.reserve.ttlMilliseconds, field: "reserve_ttl_ms")
    round.key = try ReservationTerms.key(
      filter.reserve.idempotencyKey, of: head, asking: asked.candidates, in: catalog)
    try addAmounts(of: asked, in: catalog, to: &round)
    let answer = try choose(asked, head, in: catalog, with: &round)
    switch answer {
    case .outdated: return .outdated
    case .deferred: return note(lacking: round.lacking, for: round.ttl) ? .lacking : .outdated
    case .known(let reservation): try tell(reservation, in: catalog)
    case .held(let reservation): try tell(reservation, in: catalog)
    case .denied:
      fillReply(in: catalog)
      denialText.begin(under: catalog.edition)
      denialText.add(decision, of: asked.candidates, in: catalog) { round.amount(of: $0).amount }
      exhaust()
    case let other: throw ServiceRefusal(notReserved: other)
    }
    if let trace = context.trace, let reserve = TracedReserve(of: answer, decision, round) {
      var traced = try traced(head, asked.candidates, estimate: .zero, in: catalog)
      traced.reserve = reserve
      trace.filtered(traced, at: round.now)
    }
    return .answered
  }

  private mutating func choose(
    _ asked: QuestionResolver.Asked, _ head: RequestHead, in catalog: BudgetCatalog,
    with round: inout CandidateRound
  ) throws(ServiceRefusal) -> ReservationAnswer {
    let engine = context.engine
    var decision = FilterDecision()
    swap(&decision, &self.decision)
    defer { swap(&decision, &self.decision) }
    let answer: ReservationAnswer
    let contradictions: Int
    // A question that depends on patterns is not remembered: it stands in the filter.
    if asked.place == nil, filter.question.dependsOnPatterns {
      var charges = CandidateCharges(
        candidates: asked.candidates, in: catalog, of: engine, at: round.now)
      try charges.readNames(head, with: &reader)
      let question = filter.question
      answer = engine.filterAndReserve(question, &round, in: catalog, into: &decision) {
        charges.add($0, question.candidates[$0], to: &$1)
      }
      contradictions = question.contradictions
    } else {
      (answer, contradictions) = questions.withQuestion(of: asked, or: filter) { question in
        let answer = engine.filterAndReserve(
          question, &round, in: catalog, into: &decision
        ) { _, _ in }
        return (answer, question.contradictions)
      }
    }
    // One that waits is served again.
    if answer != .deferred { counts.countContradictions(contradictions) }
    return answer
  }

  /// Tells which candidate was chosen, and why those before it were not.
  private mutating func tell(
    _ reservation: borrowing Reservation, in catalog: BudgetCatalog
  ) throws(ServiceRefusal) {
    guard let candidate = reservation.candidate, candidate < decision.candidateCount
    else { throw .regrouped }
    addDenials(in: catalog)
    reserving.reply.tell(of: reservation)
    filter.reply.choose(candidate, reserving.reply)
  }

  /// Notes for each candidate what is to be held: its own estimate, the request's, or what such
  /// requests have cost.
  private mutating func addAmounts(
    of asked: QuestionResolver.Asked, in catalog: BudgetCatalog, to round: inout CandidateRound
  ) throws(ServiceRefusal) {
    let (count, estimate) = questions.withQuestion(of: asked, or: filter) {
      ($0.candidates.count, $0.estimate)
    }
    var usual: ReservedAmount?
    if let dollars = filter.reserve.amountUSD {
      usual = ReservedAmount(try ServiceRefusal.amount(dollars, field: "reserve_usd"))
    } else if estimate > .zero {
      usual = ReservedAmount(estimate)
    }
    if count == 0 {
      throw ServiceRefusal(
        .invalidArgument, "reserve without a candidate: give deployments, or a model_name")
    }
    if let usual, !filter.hasEstimates {
      round.usual = usual
      return
    }
    var refusal: ServiceRefusal?
    asked.candidates.forEach(in: catalog) { names in
      guard let own = names.estimatedCostUSD else {
        return round.amounts.append(usual ?? expected(names, in: catalog))
      }
      do throws(ServiceRefusal) {
        let amount = try ServiceRefusal.amount(own, field: "estimated_cost_usd of a deployment")
        round.amounts.append(ReservedAmount(amount))
      } catch {
        refusal = error
      }
    }
    if let refusal { throw refusal }
  }

  private func expected(_ names: DeploymentNames, in catalog: BudgetCatalog) -> ReservedAmount {
    let names = CandidateNames(
      id: names.id, modelName: names.modelName, model: names.model, provider: names.provider)
    return context.engine.estimates.expected(CostKind(of: names.usable, in: catalog))
  }
}

extension TracedReserve {
  /// Nil where nothing was reserved or denied: a retry got its first answer.
  fileprivate init?(
    of answer: ReservationAnswer, _ decision: FilterDecision, _ round: borrowing CandidateRound
  ) {
    var made: Reservation?
    if case .held(let reservation) = answer { made = reservation }
    guard made != nil || decision.isExhausted else { return nil }
    var amounts: [PicoUSD] = []
    for candidate in 0..<decision.candidateCount {
      amounts.append(round.amount(of: candidate).amount)
    }
    self.init(
      id: made?.id.text, chosen: made?.candidate, ttlMilliseconds: round.ttl, amounts: amounts)
  }
}
