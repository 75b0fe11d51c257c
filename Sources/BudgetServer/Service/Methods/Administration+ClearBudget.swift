import BudgetModel
import BudgetWire

extension Administration {
  /// Has the configuration's values hold again.
  func clearBudget(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) -> @Sendable (ChangeDesk) -> Void {
    let request: ClearBudgetView
    do throws(WireFault) {
      request = try decoder.clearBudget(head)
    } catch {
      throw ServiceRefusal(error.code, error.description)
    }
    let order = try ChangeOrder(request.target, .clear, reason: request.reason, by: author)
    return { desk in
      let result = desk.carryOut(order) { entry throws(ServiceRefusal) in
        try desk.clear(order, &entry)
      }
      answer(result, of: desk) { $0.appendClearBudget($1, callID: $2, to: &$3) }
    }
  }
}
