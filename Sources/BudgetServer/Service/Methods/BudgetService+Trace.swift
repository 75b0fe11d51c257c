import BudgetEngine
import BudgetModel
import BudgetWire

/// The part of requests that a trace keeps: their names as texts. Used only if a trace is written.
extension BudgetService {
  /// Candidates and the answer, once that is decided. The message is unpacked for it: `reader` must
  /// not be asked for anything of the request after that.
  mutating func traced(
    _ head: RequestHead, _ candidates: RequestCandidates, estimate: PicoUSD,
    in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> TracedFilter {
    var group: ArraySlice<Int32> = []
    if case .configured(let configured) = candidates { group = configured }
    var candidates = group.map { catalog.deployments[Int($0)] }
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.filterDeployments(head)
    }
    if candidates.isEmpty {
      candidates = (0..<request.deploymentCount).map { position in
        let deployment = request.deployment(at: position)
        return ConfiguredDeployment(
          id: deployment.id.text, modelName: deployment.modelName.text,
          model: deployment.model.text,
          provider: provider(
            id: deployment.id, model: deployment.model, given: deployment.provider, in: catalog))
      }
    }
    return TracedFilter(
      modelName: catalog.tracedModel(
        CandidateNames(
          id: .absent, modelName: request.modelName, model: .absent, provider: .absent)),
      candidates: candidates, tags: (0..<request.tagCount).map { request.tag(at: $0).text },
      estimate: estimate, allowed: decision.allowed,
      message: decision.isExhausted
        ? String(decoding: filter.reply.statusMessage, as: UTF8.self) : nil)
  }

  /// A cost, before the ledger has seen it.
  mutating func traced(
    _ head: RequestHead, cost: PicoUSD, in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> TracedRecord {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.recordSpend(head)
    }
    return TracedRecord(
      provider: provider(
        id: request.deploymentID, model: request.model, given: request.provider, in: catalog) ?? "",
      deploymentID: request.deploymentID.text,
      modelName: catalog.tracedModel(
        CandidateNames(
          id: request.deploymentID, modelName: request.modelName, model: request.model,
          provider: request.provider)),
      tags: (0..<request.tagCount).map { request.tag(at: $0).text }, cost: cost,
      reservation: request.reservationID.text)
  }

  /// A ReserveSpend and its outcome, as a choice among one candidate.
  mutating func traced(
    _ head: RequestHead, _ ask: ReservationAsk, _ reservation: Reservation?,
    in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> TracedFilter {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.reserveSpend(head)
    }
    var tags: [String] = []
    request.forEachTag { tags.append($0.text) }
    return TracedFilter(
      modelName: catalog.tracedModel(
        CandidateNames(
          id: request.deploymentID, modelName: request.modelName, model: request.model,
          provider: request.provider)),
      candidates: [
        ConfiguredDeployment(
          id: request.deploymentID.text, modelName: request.modelName.text,
          model: request.model.text,
          provider: provider(
            id: request.deploymentID, model: request.model, given: request.provider, in: catalog))
      ], tags: tags, estimate: .zero, allowed: [],
      // Its words are others than a filter's.
      message: reservation == nil ? "*" : nil,
      reserve: TracedReserve(
        id: reservation?.id.text, chosen: reservation == nil ? nil : 0, ttlMilliseconds: ask.ttl,
        amounts: [ask.amount.amount]))
  }

  /// The provider whose budget is looked at; a model that can be none names none.
  private func provider(
    id: NameBytes, model: NameBytes, given: NameBytes, in catalog: BudgetCatalog
  ) -> String? {
    let usable = given.isEmpty && model.isWellFormed ? model : .absent
    return catalog.providerName(id: id, model: usable, provider: given)
  }
}

extension BudgetCatalog {
  /// The public model name whose budgets are looked at; empty where no budget asks for one.
  fileprivate func tracedModel(_ names: CandidateNames) -> String {
    asksModelNames ? budgetedModel(of: names.usable) : ""
  }
}
