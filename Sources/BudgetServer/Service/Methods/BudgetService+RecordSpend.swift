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
    for _ in 0..<ServiceRefusal.mostLookUps {
      let answer = try record(head, token: token)
      if answer == .outdated { continue }
      return try reply(answer, to: token, output: &output)
    }
    throw .changedMeanwhile
  }

  /// Looks the names up and records once.
  private mutating func record(
    _ head: RequestHead, token: LedgerToken
  ) throws(ServiceRefusal) -> RecordAnswer {
    let catalog = catalogs.current()
    var charge = try charges.resolve(head, in: catalog, with: &reader)
    if charges.charged.isStale { return .outdated }
    if let madeAt = charge.key?.madeAt { charge.key?.madeAt = fleetTime(ofKeyMadeAt: madeAt) }
    let now = now()
    if charges.charged.contradictsModelList { counts.countContradictions(1) }
    if charges.charged.slots.isEmpty { context.counters.countUnbudgetedRecord() }
    if let trace = context.trace {
      trace.submitted(
        try traced(head, cost: charge.amount, in: catalog), token: token, at: now)
    }
    let answer = take(charge, token: token, at: now)
    if let kind = charge.kind, answer == .deferred || answer == .recorded {
      context.engine.estimates.learn(charge.amount, of: kind, record: charge.key?.digest)
    }
    if let trace = context.trace, answer != .deferred {
      trace.settled(token, recordedAt: answer == .recorded ? now : nil)
    }
    return answer
  }

  @inline(__always)
  private func take(
    _ charge: ChargeResolver.Charge, token: LedgerToken, at now: Timestamp
  ) -> RecordAnswer {
    guard let reservation = charge.reservation else {
      return context.recorder.record(
        charge.amount, key: charge.key, to: charges.charged, token: token, at: now)
    }
    let answer = context.recorder.settle(
      SettlingRecord(
        amount: charge.amount, key: charge.key, isKeyImplied: charge.isKeyImplied,
        reservation: reservation),
      to: charges.charged, token: token, at: now)
    // The cost counts here; what was held is another node's to free.
    if answer == .deferred || answer == .recorded { context.tellMaker(of: reservation, true) }
    return answer
  }

  /// Returns whether it was answered.
  private mutating func reply(
    _ answer: RecordAnswer, to token: LedgerToken, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    let result: RecordSpendResponse
    switch answer {
    case .deferred, .outdated: return false
    case .recorded:
      result = RecordSpendResponse(isDuplicate: false, budgetsCharged: charges.charged.slots.count)
    case .duplicate: result = RecordSpendResponse(isDuplicate: true, budgetsCharged: 0)
    case .refused(let refusal): throw ServiceRefusal(refusal.status)
    }
    responses.appendRecordSpend(result, callID: token.low, to: &output)
    return true
  }
}
