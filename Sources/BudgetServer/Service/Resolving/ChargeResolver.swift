import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

/// Turns a RecordSpend message into what is charged to whom. Parts that repeat from record to
/// record are remembered. Any shape that is not the usual one is unpacked. Nobody outside knows
/// which way a message went.
struct ChargeResolver {
  private let recorder: any SpendRecorder
  private let engine: BudgetEngine
  private let time: any TimeSource
  /// The budgets that the last record is charged to.
  private(set) var charged = ChargedSlots()
  private var keys = RecordKeyMaker()
  private var memo = ChargeMemo()
  /// The text of a key that a reservation's name stands for.
  private var impliedKey: [UInt8] = []
  /// The node that made the reservation that was settled last: the next one's, nearly always.
  private var node = ""

  init(recorder: any SpendRecorder, engine: BudgetEngine, time: any TimeSource) {
    self.recorder = recorder
    self.engine = engine
    self.time = time
  }

  /// The amount that a record adds, and its identity.
  struct Charge {
    var amount: PicoUSD
    /// Nil: it is not deduplicated.
    var key: RecordKey?
    /// The reservation that it settles; nil: it names none that a node could have made.
    var reservation: ReservationID?
    /// Whether the key is the reservation's name, since the request has none.
    var isKeyImplied = false
    /// The kind of the request; nil: nobody learns from it.
    var kind: CostKind?
  }

  /// A record without its names.
  private struct Judged {
    var identity: KeyIdentity?
    var amount: PicoUSD
    var reservation: ReservationID?
    var isKeyImplied = false

    func charge(_ key: RecordKey?) -> Charge {
      Charge(
        amount: amount, key: key, reservation: reservation, isKeyImplied: isKeyImplied)
    }
  }

  /// Reads the record of `head`; `charged` has its budgets.
  mutating func resolve(
    _ head: RequestHead, in catalog: BudgetCatalog, with reader: inout MessageReader
  ) throws(ServiceRefusal) -> Charge {
    reader.names.begin()
    var plain = PlainRecord()
    if plain.read(head.message, bounds: reader.decoder.bounds) {
      var charge = try resolve(plain, in: catalog, &reader.names)
      learn(from: plain, in: catalog, &charge)
      return charge
    }
    let view = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.recordSpend(head)
    }
    // Names that are met count also where the record is refused.
    defer { reader.names.count() }
    let judged = try judge(view)
    let (identity, amount) = (judged.identity, judged.amount)
    let slots = reader.names.slots(CandidateNames(view), in: catalog)
    keys.begin(RecordFields(view, cost: amount))
    try charge(slots, view, in: catalog, &reader.names)
    var charge = judged.charge(identity.map { keys.key($0, modelName: view.modelName) })
    learn(from: view, in: catalog, &charge)
    return charge
  }

  private mutating func resolve(
    _ record: PlainRecord, in catalog: BudgetCatalog, _ names: inout RequestNames
  ) throws(ServiceRefusal) -> Charge {
    defer { names.count() }
    let judged = try judge(record)
    let (identity, amount) = (judged.identity, judged.amount)
    // The text of a known whole has no public model name.
    let whole = record.modelName.isEmpty ? record.subjectAndTags : .absent
    let known = memo.sought(names: whole, under: catalog.edition)
    if let known,
      let key = memo.recall(
        names: known, into: &charged,
        { text -> RecordKey? in
          guard let identity else { return nil }
          if record.reservationID.isEmpty { return identity.key(with: &text, cost: amount) }
          keys.write(text, reservationID: record.reservationID, cost: amount)
          return identity.key(with: keys.text)
        })
    {
      return judged.charge(key)
    }
    let slots = subjectSlots(of: record, cost: amount, in: catalog, &names)
    try charge(slots, record, in: catalog, &names)
    keys.finish(modelName: record.modelName)
    // Dynamic budgets come and go: they are looked up each time.
    if let known, !names.hasFindings, !charged.dependsOnPatterns {
      memo.remember(names: known, as: charged, keys.text)
    }
    return judged.charge(identity.map { $0.key(with: keys.text) })
  }

  /// The budgets of provider and deployment; `keys` has the text of the record up to its tags.
  private mutating func subjectSlots(
    of record: PlainRecord, cost: PicoUSD, in catalog: BudgetCatalog, _ names: inout RequestNames
  ) -> CandidateSlots {
    let isWhole = record.modelName.isEmpty || !catalog.asksModelNames
    let subject =
      isWhole ? memo.sought(subject: record.subject, under: catalog.edition) : nil
    if let subject,
      let slots = memo.recall(
        subject: subject,
        { keys.begin(subjectOf: $0, reservationID: record.reservationID, cost: cost) })
    {
      return slots
    }
    let slots = names.slots(CandidateNames(record), in: catalog)
    keys.begin(RecordFields(record, cost: cost))
    // Not where something was counted on the way: what is known is not counted again.
    if let subject, !names.hasFindings {
      memo.remember(subject: subject, as: slots, keys.text)
    }
    return slots
  }

  /// Notes of what kind the request was, if anybody wants to know what such requests cost.
  @inline(__always)
  private func learn(
    from record: some RecordSpendFields, in catalog: BudgetCatalog, _ charge: inout Charge
  ) {
    guard engine.estimates.isAsked else { return }
    charge.kind = CostKind(of: CandidateNames(record).usable, in: catalog)
  }

  /// Judges key, reservation and cost, before any name is looked up.
  private mutating func judge(
    _ record: some RecordSpendFields
  ) throws(ServiceRefusal) -> Judged {
    let identity = try identity(of: record.idempotencyKey)
    try ServiceRefusal.check(record.reservationID, field: "reservation_id")
    guard let dollars = record.costUSD else {
      throw ServiceRefusal(.invalidArgument, "cost_usd is absent: send 0 for a free request")
    }
    var judged = Judged(
      identity: identity, amount: try ServiceRefusal.amount(dollars, field: "cost_usd"))
    if record.reservationID.isEmpty { return judged }
    judged.reservation = ReservationID(record.reservationID, likelyOf: node)
    if let reservation = judged.reservation { node = reservation.node }
    if identity == nil, judged.reservation != nil {
      judged.identity = impliedIdentity(of: record.reservationID)
      judged.isKeyImplied = true
    }
    return judged
  }

  private static let impliedPrefix = Array("settle:".utf8)

  /// The identity of a record that has no key, by the reservation that it settles.
  private mutating func impliedIdentity(of reservation: NameBytes) -> KeyIdentity {
    impliedKey.removeAll(keepingCapacity: true)
    impliedKey.append(contentsOf: Self.impliedPrefix)
    reservation.append(to: &impliedKey)
    let identity = NameBytes.with(impliedKey) { KeyIdentity(of: $0) }
    recorder.expect(identity.digest)
    return identity
  }

  /// Puts the budgets of `slots` and of the record's tags into `charged`, and the tags into `keys`.
  private mutating func charge(
    _ slots: CandidateSlots, _ record: some RecordSpendFields, in catalog: BudgetCatalog,
    _ names: inout RequestNames
  ) throws(ServiceRefusal) {
    charged.begin()
    charged.add(slots, in: catalog)
    if catalog.hasCandidatePatterns {
      charged.add(
        namesOf: CandidateNames(record).usable, in: catalog, of: engine, at: time.now())
    }
    var hasTag = false
    record.forEachTag { tag in
      if tag.isEmpty { return }
      hasTag = true
      keys.addTag(tag)
      let slot = catalog.tagSlot(tag)
      let name = slot == nil ? names.usable(tag, as: .tag) : tag
      if let slot { charged.addTag(slot: slot, in: catalog) }
      if catalog.hasTagPatterns {
        charged.add(ScopedName(.tag, name), in: catalog, of: engine, at: time.now())
      }
    }
    charged.addTotal(in: catalog)
    guard
      slots.hasProvider || !record.deploymentID.isEmpty || !record.model.isEmpty
        || !record.modelName.isEmpty || hasTag
    else {
      throw ServiceRefusal(
        .invalidArgument,
        "the record names no provider, no deployment_id, no model, no model_name and no tag: "
          + "nothing could be charged")
    }
  }

  /// The identity of an idempotency key; nil: there is no key.
  private func identity(of key: NameBytes) throws(ServiceRefusal) -> KeyIdentity? {
    if key.isEmpty { return nil }
    try ServiceRefusal.check(key, field: "idempotency_key")
    let identity = KeyIdentity(of: key)
    // Long before it is looked up: by then its place in memory is at hand.
    recorder.expect(identity.digest)
    return identity
  }
}

extension CandidateNames {
  /// The names that `record` is charged to.
  fileprivate init(_ record: some RecordSpendFields) {
    self.init(
      id: record.deploymentID, modelName: record.modelName, model: record.model,
      provider: record.provider)
  }
}

extension RecordFields {
  /// The fields of `record`, which costs `cost`.
  fileprivate init(_ record: some RecordSpendFields, cost: PicoUSD) {
    self.init(
      provider: record.provider, deploymentID: record.deploymentID, model: record.model,
      cost: cost, reservationID: record.reservationID)
  }
}
