import BudgetModel
import BudgetWire

extension Administration {
  /// Ends a budget's window and begins the next one.
  func resetBudget(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) -> @Sendable (ChangeDesk) -> Void {
    let request: ResetBudgetView
    do throws(WireFault) {
      request = try decoder.resetBudget(head)
    } catch {
      throw ServiceRefusal(error.code, error.description)
    }
    let amount = try ServiceRefusal.amount(request.toUSD, field: "to_usd")
    let order = try ChangeOrder(
      request.target, .reset(to: amount), reason: request.reason, by: author)
    return { desk in
      let result = desk.carryOut(order) { entry throws(ServiceRefusal) in
        try desk.reset(order, &entry)
      }
      answer(result, of: desk) { $0.appendResetBudget($1, callID: $2, to: &$3) }
    }
  }
}
