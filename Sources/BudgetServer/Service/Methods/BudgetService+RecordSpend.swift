import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

extension BudgetService {
  /// Charges what a request cost. Spend over a limit is recorded like any other: it was spent.
  /// Returns whether it was answered; where not, the reply comes when the ledger has committed.
  mutating func recordSpend(
    _ head: RequestHead, token: LedgerToken, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    let catalog = catalogs.current()
    var charge = try charges.resolve(head, in: catalog, with: &reader)
    if let madeAt = charge.key?.madeAt { charge.key?.madeAt = fleetTime(ofKeyMadeAt: madeAt) }
    let charged = charges.charged
    if charged.contradictsModelList { counts.countContradictions(1) }
    if charged.slots.isEmpty { context.counters.countUnbudgetedRecord() }
    if let trace = context.trace {
      trace.submitted(
        try traced(head, cost: charge.amount, in: catalog), token: token, at: now())
    }
    let answer = context.recorder.record(
      charge.amount, key: charge.key, to: charged, token: token, at: now())
    if let trace = context.trace, answer != .deferred {
      trace.settled(token, recordedAt: answer == .recorded ? now() : nil)
    }
    let result: RecordSpendResponse
    switch answer {
    case .deferred: return false
    case .recorded:
      result = RecordSpendResponse(isDuplicate: false, budgetsCharged: charged.slots.count)
    case .duplicate: result = RecordSpendResponse(isDuplicate: true, budgetsCharged: 0)
    case .refused(let refusal): throw ServiceRefusal(refusal.status)
    }
    responses.appendRecordSpend(result, callID: token.low, to: &output)
    return true
  }
}
