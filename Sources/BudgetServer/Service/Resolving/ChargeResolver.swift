import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

/// Turns a RecordSpend message into what is charged to whom. Nobody outside knows whether it came in
/// its usual shape or had to be unpacked.
struct ChargeResolver {
  private let recorder: any SpendRecorder
  /// The budgets that the last record is charged to.
  private(set) var charged = ChargedSlots()
  private var keys = RecordKeyMaker()

  init(recorder: any SpendRecorder) { self.recorder = recorder }

  /// What a record adds, and what it is known by.
  struct Charge {
    var amount: PicoUSD
    /// Nil: it is not deduplicated.
    var key: RecordKey?
  }

  /// Reads the record of `head`; `charged` has its budgets.
  mutating func resolve(
    _ head: RequestHead, in catalog: BudgetCatalog, with reader: inout MessageReader
  ) throws(ServiceRefusal) -> Charge {
    reader.names.begin()
    if let plain = PlainRecord(head.message, bounds: reader.decoder.bounds) {
      return try resolve(plain, in: catalog, &reader.names)
    }
    let view = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.recordSpend(head)
    }
    return try resolve(view, in: catalog, &reader.names)
  }

  private mutating func resolve(
    _ record: some RecordSpendFields, in catalog: BudgetCatalog, _ names: inout RequestNames
  ) throws(ServiceRefusal) -> Charge {
    // Names that are met count also where the record is refused.
    defer { names.count() }
    let identity = try identity(of: record.idempotencyKey)
    try ServiceRefusal.check(record.reservationID, field: "reservation_id")
    guard let dollars = record.costUSD else {
      throw ServiceRefusal(.invalidArgument, "cost_usd is absent: send 0 for a free request")
    }
    let amount = try ServiceRefusal.amount(dollars, field: "cost_usd")
    charged.begin()
    let slots = names.slots(
      id: record.deploymentID, model: record.model, provider: record.provider, in: catalog)
    charged.add(slots)
    var hasTag = false
    record.forEachTag { tag in
      if tag.isEmpty { return }
      hasTag = true
      if let slot = catalog.tagSlot(tag) {
        charged.addTag(slot: slot)
      } else {
        _ = names.usable(tag, as: .tag)
      }
    }
    guard slots.hasProvider || !record.deploymentID.isEmpty || hasTag else {
      throw ServiceRefusal(
        .invalidArgument,
        "the record names no provider, no deployment_id and no tag, and no provider follows from "
          + "its model '\(record.model.printable)': nothing could be charged")
    }
    return Charge(amount: amount, key: identity.map { key($0, of: record, cost: amount) })
  }

  /// What the idempotency key is known by; nil: there is none.
  private func identity(of key: NameBytes) throws(ServiceRefusal) -> KeyIdentity? {
    if key.isEmpty { return nil }
    try ServiceRefusal.check(key, field: "idempotency_key")
    let identity = KeyIdentity(of: key)
    // Long before it is looked up: by then its place in memory is at hand.
    recorder.expect(identity.digest)
    return identity
  }

  /// What tells this record from others, and a retry from a clash.
  private mutating func key(
    _ identity: KeyIdentity, of record: some RecordSpendFields, cost: PicoUSD
  ) -> RecordKey {
    keys.begin()
    record.forEachTag { keys.addTag($0) }
    return keys.key(
      identity,
      of: RecordFields(
        provider: record.provider, deploymentID: record.deploymentID, model: record.model,
        cost: cost, reservationID: record.reservationID))
  }
}
