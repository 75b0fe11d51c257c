import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Charges what a request cost. Spend over a limit is recorded like any other: it was spent.
  func record(
    _ request: RecordSpendView, callID: UInt64, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    try checkBounds(of: request.idempotencyKey, field: "idempotency_key")
    try checkBounds(of: request.reservationID, field: "reservation_id")
    guard let dollars = request.costUSD else {
      throw ServiceRefusal(.invalidArgument, "cost_usd is absent: send 0 for a free request")
    }
    let amount = try amount(dollars, field: "cost_usd")
    let catalog = catalogs.current()
    charged.begin()
    let hasProvider = addProviderAndDeployment(of: request, in: catalog)
    var hasTag = false
    for position in 0..<request.tagCount {
      let tag = request.tag(at: position)
      if tag.isEmpty { continue }
      hasTag = true
      if let slot = catalog.tagSlot(tag) { charged.addTag(slot: slot) } else { _ = usable(tag) }
    }
    guard hasProvider || !request.deploymentID.isEmpty || hasTag else {
      throw ServiceRefusal(
        .invalidArgument,
        "the record names no provider (and none follows from model '\(request.model.text)'), "
          + "no deployment_id and no tag: nothing could be charged")
    }
    if charged.slots.isEmpty { context.counters.countUnbudgetedRecord() }
    context.engine.record(amount, to: charged, at: context.time.now())
    responses.appendRecordSpend(
      RecordSpendResult(isDuplicate: false, budgetsCharged: UInt32(charged.slots.count)),
      callID: callID, to: &output)
  }

  /// Adds the provider's and the deployment's budget; says whether a provider was named or derived.
  private func addProviderAndDeployment(
    of request: RecordSpendView, in catalog: BudgetCatalog
  ) -> Bool {
    let model = request.provider.isEmpty ? usable(request.model) : .absent
    let slots = catalog.chargedCandidate(
      id: request.deploymentID, model: model, provider: request.provider)
    if !slots.hasProvider, !model.isEmpty { context.counters.countUnresolvedModel() }
    if !slots.isBudgeted {
      _ = usable(request.deploymentID)
      _ = usable(request.provider)
    }
    charged.add(slots)
    return slots.hasProvider
  }
}
