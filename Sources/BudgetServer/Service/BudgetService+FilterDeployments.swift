import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Which candidates may be used: those given, or the configured ones of `model_name`.
  mutating func filter(
    _ request: FilterDeploymentsView, message: NameBytes, callID: UInt64, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    oddNames = 0
    try checkBounds(of: request.modelName, field: "model_name")
    let catalog = catalogs.current()
    question.begin()
    question.maximumDenials = context.bounds.maximumDenials
    if request.estimatedCostUSD != 0 {
      question.estimate = try amount(request.estimatedCostUSD, field: "estimated_cost_usd")
    }
    var group: ArraySlice<Int32> = []
    if request.deploymentCount == 0, !request.modelName.isEmpty {
      group = try configuredCandidates(of: request.modelName, in: catalog)
      for index in group { question.add(catalog.candidate(at: index)) }
    } else {
      for position in 0..<request.deploymentCount {
        let candidate = request.deployment(at: position)
        question.add(
          resolve(
            id: candidate.id, model: candidate.model, provider: candidate.provider, in: catalog))
      }
    }
    for position in 0..<request.tagCount {
      let tag = request.tag(at: position)
      if let slot = catalog.tagSlot(tag) {
        question.addTag(slot: slot)
      } else {
        _ = usable(tag, as: .tag)
      }
    }
    if let refusal = context.fleet?.refusal, hasBudget(question) { throw ServiceRefusal(refusal) }
    let now = now()
    context.engine.filter(question, in: catalog, at: now, into: &decision)
    counts.countContradictions(question.contradictions)
    filterReply.reset()
    for index in group { addCandidate(at: Int(index), of: catalog.deployments) }
    // Not where something was counted on the way: a known message would not be counted again.
    if oddNames == 0 {
      knownFilters.remember(
        question, filterReply.candidates, of: message, under: catalog.generation)
    }
    fillReply(in: catalog)
    if decision.isExhausted { sayExhausted(request, group: group, in: catalog) }
    if let trace = context.trace {
      trace.filtered(traced(request, group: group, in: catalog), at: now)
    }
    appendReply(callID: callID, output: &output)
  }

  mutating func appendReply(callID: UInt64, output: inout [UInt8]) {
    let start = output.count
    if responses.appendFilterDeployments(&filterReply, callID: callID, to: &output) { return }
    // Candidates of the server's own fill the frame: the denials are counted instead.
    output.removeSubrange(start...)
    filterReply.omitAllDenials()
    responses.appendFilterDeployments(&filterReply, callID: callID, to: &output)
  }

  /// Whether any budget has a say.
  private func hasBudget(_ question: FilterQuestion) -> Bool {
    !question.tags.isEmpty
      || question.candidates.contains { $0.hasProviderBudget || $0.hasDeploymentBudget }
  }

  /// The decision as the bytes that go out, beside the candidates that are there.
  mutating func fillReply(in catalog: BudgetCatalog) {
    filterReply.allow(decision.allowed)
    countDenials()
    for denial in decision.denials {
      catalog.withName(of: denial) { name in
        filterReply.deny(
          FilterReply.Denial(
            position: denial.candidate, scope: denial.scope, name: name,
            spendUSD: denial.spend.dollars, limitUSD: denial.limit.dollars,
            resetsAtUnixMilliseconds: denial.resetsAt?.unixMilliseconds,
            withheldUSD: denial.withheld.dollars))
      }
    }
    filterReply.omitDenials(decision.denialsOmitted)
    if decision.denialsOmitted > 0 { counts.countOmitted(Int(decision.denialsOmitted)) }
  }

  /// Counts what was found, by scope and by budget: candidates of one provider come together.
  private mutating func countDenials() {
    var (slot, run) = (Int32(-1), 0)
    for denial in decision.denials {
      counts.countDenial(by: denial.scope)
      if denial.slot == slot {
        run += 1
        continue
      }
      if run > 0 { denied.add(run, slot: slot) }
      (slot, run) = (denial.slot, 1)
    }
    if run > 0 { denied.add(run, slot: slot) }
  }

  private mutating func addCandidate(at index: Int, of deployments: CatalogDeployments) {
    deployments.withID(at: index) { id in
      NameBytes.with(deployments.modelName(at: index)) { modelName in
        NameBytes.with(deployments.model(at: index)) { model in
          NameBytes.with(deployments.provider(at: index) ?? "") { provider in
            filterReply.addCandidate(
              FilterReply.Candidate(
                id: id, modelName: modelName, model: model, provider: provider))
          }
        }
      }
    }
  }

  func configuredCandidates(
    of modelName: NameBytes, in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> ArraySlice<Int32> {
    guard let group = catalog.group(modelName) else {
      throw ServiceRefusal(
        .notFound,
        "model_name '\(printable(modelName))' is not in the model list; give deployments, or add it"
      )
    }
    let bound = context.bounds.maximumDeployments
    guard group.count <= bound else {
      throw ServiceRefusal(
        .failedPrecondition,
        "model_name '\(printable(modelName))' has \(group.count) deployments; at most \(bound) are "
          + "filtered in one request: give the deployments, in parts")
    }
    return group
  }

  /// The sentences that LiteLLM gives when nothing is left.
  private mutating func sayExhausted(
    _ request: FilterDeploymentsView, group: ArraySlice<Int32>, in catalog: BudgetCatalog
  ) {
    var text = DenialText(maximumBytes: context.bounds.maximumStatusMessageBytes)
    for denial in decision.denials {
      let position = Int(denial.candidate)
      let name = catalog.name(of: denial)
      if group.isEmpty {
        let deployment = request.deployment(at: position)
        text.add(
          denial, name: name,
          candidate: .init(
            id: deployment.id, modelName: deployment.modelName, model: deployment.model),
          estimate: question.estimate)
      } else {
        let index = group[group.startIndex + position]
        text.add(
          denial, name: name, candidate: catalog.deployments[Int(index)],
          estimate: question.estimate)
      }
    }
    text.finish(unlisted: Int(decision.denialsOmitted))
    answer = .resourceExhausted
    filterReply.statusCode = .resourceExhausted
    filterReply.statusMessage.append(contentsOf: text.bytes)
  }
}
