import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Which candidates may be used: those given, or the configured ones of `model_name`. Returns whether it
  /// was answered; where not, the fleet is to be asked for what the request `lacks`.
  mutating func filterDeployments(
    _ call: Call, _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    for _ in 0..<ServiceRefusal.mostLookUps {
      let catalog = catalogs.current()
      let asked = try questions.resolve(head, in: catalog, with: &reader, into: &filter)
      if filter.reserve.isWanted { try checkMayReserve(call) }
      if let refusal = context.refusal,
        questions.withQuestion(of: asked, or: filter, { $0.hasBudget(in: catalog) })
      {
        throw ServiceRefusal(refusal)
      }
      guard filter.reserve.isWanted else {
        try answer(asked, head, in: catalog, output: &output)
        return true
      }
      switch try reserveCandidate(asked, head, in: catalog, output: &output) {
      case .answered: return true
      case .lacking: return false
      case .outdated: continue
      }
    }
    throw .changedMeanwhile
  }

  @inline(__always)
  private mutating func answer(
    _ asked: QuestionResolver.Asked, _ head: RequestHead, in catalog: BudgetCatalog,
    output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let now = now()
    let estimate = decide(asked, in: catalog, at: now)
    fillReply(in: catalog)
    if decision.isExhausted {
      denialText.begin(under: catalog.edition)
      denialText.add(decision, of: asked.candidates, in: catalog) { _ in estimate }
      exhaust()
    }
    if let trace = context.trace {
      trace.filtered(
        try traced(head, asked.candidates, estimate: estimate, in: catalog), at: now)
    }
    appendReply(callID: head.callID, output: &output)
  }

  /// Puts the answer into `decision` and returns the request's estimate.
  @inline(__always)
  private mutating func decide(
    _ asked: QuestionResolver.Asked, in catalog: BudgetCatalog, at now: Timestamp
  ) -> PicoUSD {
    let engine = context.engine
    var decision = FilterDecision()
    swap(&decision, &self.decision)
    defer { swap(&decision, &self.decision) }
    let (estimate, contradictions) = questions.withQuestion(of: asked, or: filter) { question in
      engine.filter(question, in: catalog, at: now, into: &decision)
      return (question.estimate, question.contradictions)
    }
    counts.countContradictions(contradictions)
    return estimate
  }

  /// Says that every candidate is over budget, in the sentences of `denialText`.
  mutating func exhaust() {
    answer = .resourceExhausted
    filter.reply.statusCode = .resourceExhausted
    filter.reply.statusMessage.append(bytesOf: denialText.bytes)
  }

  mutating func appendReply(callID: UInt64, output: inout [UInt8]) {
    let start = output.count
    if responses.appendFilterDeployments(&filter.reply, callID: callID, to: &output) { return }
    // Candidates of the server's own fill the frame: the denials are counted instead.
    output.removeSubrange(start...)
    filter.reply.omitAllDenials()
    responses.appendFilterDeployments(&filter.reply, callID: callID, to: &output)
  }

  /// The decision as the bytes that go out, beside the candidates that are there.
  mutating func fillReply(in catalog: BudgetCatalog) {
    filter.reply.allow(decision)
    addDenials(in: catalog)
  }

  /// The denials of the decision as the bytes that go out.
  mutating func addDenials(in catalog: BudgetCatalog) {
    if decision.denials.isEmpty { return }
    denied.count(decision.denials, in: counts)
    for index in decision.denials.indices {
      denials.add(decision.denials[index], in: catalog, to: &filter.reply)
    }
    filter.reply.omitDenials(decision.denialsOmitted)
    if decision.denialsOmitted > 0 { counts.countOmitted(Int(decision.denialsOmitted)) }
  }
}

extension FilterReply {
  /// The decision is lent, so that no reference to its arrays is counted.
  @inline(__always)
  fileprivate mutating func allow(_ decision: borrowing FilterDecision) {
    allow(decision.allowed.span)
  }
}
