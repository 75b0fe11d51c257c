import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Tells how each budget stands that `filter` would ask about the same request. Not the hot path:
  /// it may allocate. Nothing is counted: whoever asks this looks for a cause, and is not traffic.
  mutating func explainRequest(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.filterDeployments(head)
    }
    try ServiceRefusal.check(request.modelName, field: "model_name")
    let catalog = catalogs.current()
    var estimate = PicoUSD.zero
    if request.estimatedCostUSD != 0 {
      estimate = try ServiceRefusal.amount(request.estimatedCostUSD, field: "estimated_cost_usd")
    }
    var explainer = RequestExplainer(
      engine: context.engine, catalog: catalog, estimate: estimate, now: now())
    for position in 0..<request.tagCount { explainer.addTag(request.tag(at: position)) }
    explainer.addTotal()
    if request.deploymentCount == 0, !request.modelName.isEmpty {
      let group = try catalog.candidates(
        ofModelName: request.modelName, atMost: context.bounds.maximumDeployments)
      for index in group {
        explainer.addConfigured(index, askedAs: request.modelName)
      }
    } else {
      for position in 0..<request.deploymentCount {
        explainer.add(request.deployment(at: position), askedAs: request.modelName)
      }
    }
    // As the filter would be refused.
    if let refusal = context.refusal, explainer.hasBudget { throw ServiceRefusal(refusal) }
    responses.appendExplained(explainer.result, callID: head.callID, to: &output)
  }
}
