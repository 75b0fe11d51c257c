import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

extension BudgetService {
  /// Charges what a request cost. Spend over a limit is recorded like any other: it was spent.
  /// Returns whether the reply comes later; where not, it was appended.
  mutating func record(
    _ request: RecordSpendView, message: NameBytes, token: LedgerToken, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    oddNames = 0
    try checkBounds(of: request.idempotencyKey, field: "idempotency_key")
    try checkBounds(of: request.reservationID, field: "reservation_id")
    guard let dollars = request.costUSD else {
      throw ServiceRefusal(.invalidArgument, "cost_usd is absent: send 0 for a free request")
    }
    let amount = try amount(dollars, field: "cost_usd")
    let identity = identity(of: request.idempotencyKey)
    let catalog = catalogs.current()
    charged.begin()
    let slots = resolve(
      id: request.deploymentID, model: request.model, provider: request.provider, in: catalog)
    charged.add(slots)
    var hasTag = false
    for position in 0..<request.tagCount {
      let tag = request.tag(at: position)
      if tag.isEmpty { continue }
      hasTag = true
      if let slot = catalog.tagSlot(tag) {
        charged.addTag(slot: slot)
      } else {
        _ = usable(tag, as: .tag)
      }
    }
    guard slots.hasProvider || !request.deploymentID.isEmpty || hasTag else {
      throw ServiceRefusal(
        .invalidArgument,
        "the record names no provider, no deployment_id and no tag, and no provider follows from "
          + "its model '\(printable(request.model))': nothing could be charged")
    }
    var key: RecordKey?
    if let identity { key = self.key(identity, of: request, cost: amount) }
    // Not where something was counted on the way: a known subject would not be counted again.
    if key != nil, oddNames == 0, let plain = PlainRecord(message) {
      knownSubjects.remember(
        plain.subject, under: catalog.generation, charged: charged, text: keys.fingerprintText)
    }
    if let trace = context.trace {
      trace.submitted(traced(request, cost: amount, in: catalog), token: token, at: now())
    }
    return try charge(amount, key: key, to: charged, token: token, output: &output)
  }

  /// Hands the cost to the ledger; returns whether the reply comes later.
  mutating func charge(
    _ amount: PicoUSD, key: RecordKey?, to charged: ChargedSlots, token: LedgerToken,
    output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    if charged.contradictsModelList { counts.countContradictions(1) }
    if charged.slots.isEmpty { context.counters.countUnbudgetedRecord() }
    let answer = context.recorder.record(amount, key: key, to: charged, token: token, at: now())
    if let trace = context.trace, answer != .deferred {
      trace.settled(token, recordedAt: answer == .recorded ? now() : nil)
    }
    let result: RecordSpendResult
    switch answer {
    case .deferred: return true
    case .recorded:
      result = RecordSpendResult(
        isDuplicate: false, budgetsCharged: UInt32(charged.slots.count))
    case .duplicate: result = RecordSpendResult(isDuplicate: true, budgetsCharged: 0)
    case .refused(let refusal): throw ServiceRefusal(refusal.status)
    }
    responses.appendRecordSpend(result, callID: token.low, to: &output)
    return false
  }

  /// What the key is known by; nil: there is none.
  mutating func identity(of key: NameBytes) -> KeyIdentity? {
    if key.isEmpty { return nil }
    var identity = KeyIdentity(of: key)
    if let madeAt = identity.madeAt { identity.madeAt = fleetTime(ofKeyMadeAt: madeAt) }
    // Long before it is looked up: by then what its place in memory holds is here.
    context.recorder.expect(identity.digest)
    return identity
  }

  /// What tells this record from others, and a retry from a clash.
  private mutating func key(
    _ identity: KeyIdentity, of request: RecordSpendView, cost: PicoUSD
  ) -> RecordKey {
    keys.begin()
    for position in 0..<request.tagCount { keys.addTag(request.tag(at: position)) }
    return keys.key(
      identity,
      of: RecordFields(
        provider: request.provider, deploymentID: request.deploymentID, model: request.model,
        cost: cost, reservationID: request.reservationID))
  }

  /// Copies the ledger to a file of the server's disk; the reply comes when that is done.
  func backUp(_ request: BackupLedgerView, token: LedgerToken) throws(ServiceRefusal) {
    let name = request.path
    guard name.isEmpty || name.count <= SpendLedger.longestBackupName && name.isPlainText else {
      throw ServiceRefusal(
        .invalidArgument,
        "path of \(name.count) bytes: give a name of 1 to \(SpendLedger.longestBackupName) bytes of UTF-8 "
          + "without control characters, or none")
    }
    context.recorder.backUp(named: name.isEmpty ? "" : name.text, token: token)
  }
}
