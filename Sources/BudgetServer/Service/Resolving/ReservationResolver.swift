import BudgetEngine
import BudgetModel
import BudgetWire

/// A ReserveSpend message as the engine is asked it.
struct ReservationQuestion {
  var ask: ReservationAsk
  /// For the sentences of denials; valid as long as the message is.
  var names: DenialText.Candidate
}

/// Turns a ReserveSpend message into what is held back where: in the budgets that a record of its names
/// would be charged to. Names that repeat from request to request are remembered. Any shape that is not
/// the usual one is unpacked.
struct ReservationResolver {
  private let engine: BudgetEngine
  private let time: any TimeSource
  /// The budgets that the last message is about.
  private(set) var charged = ChargedSlots()
  private var memo = MessageMemo(placeCount: 4_096, partBound: 1_024, empty: ChargedSlots())

  init(engine: BudgetEngine, time: any TimeSource) {
    self.engine = engine
    self.time = time
  }

  /// Reads the message of `head`; `charged` has its budgets.
  mutating func resolve(
    _ head: RequestHead, in catalog: BudgetCatalog, with reader: inout MessageReader
  ) throws(ServiceRefusal) -> ReservationQuestion {
    reader.names.begin()
    // Names that are met count also where the request is refused.
    defer { reader.names.count() }
    guard let plain = PlainReserve(head.message, bounds: reader.decoder.bounds) else {
      let view = try ServiceRefusal.of { () throws(WireFault) in
        try reader.decoder.reserveSpend(head)
      }
      let question = try judge(view, head, in: catalog)
      try charge(view, in: catalog, &reader.names)
      return question
    }
    let question = try judge(plain, head, in: catalog)
    let whole = plain.modelName.isEmpty ? plain.subjectAndTags : .absent
    let sought = memo.sought(whole, under: catalog.edition)
    if let sought, let place = memo.place(of: sought) {
      charged.copy(memo.withMeaning(at: place) { $0 })
      return question
    }
    try charge(plain, in: catalog, &reader.names)
    // Dynamic budgets come and go: they are looked up each time.
    if let sought, !reader.names.hasFindings, !charged.dependsOnPatterns,
      let place = memo.placeToWrite(sought)
    {
      memo.withMeaning(at: place) { $0.copy(charged) }
    }
    return question
  }

  /// Judges key, time and amount, before any name is looked up.
  private func judge(
    _ fields: some ReserveSpendFields, _ head: RequestHead, in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> ReservationQuestion {
    let key = try ReservationTerms.key(fields.idempotencyKey, of: head)
    let ttl = try ReservationTerms.ttl(fields.ttlMilliseconds, field: "ttl_ms")
    let amount = try ServiceRefusal.amount(fields.amountUSD, field: "amount_usd")
    let reserved =
      amount > .zero
      ? ReservedAmount(amount)
      : engine.estimates.expected(CostKind(of: CandidateNames(fields).usable, in: catalog))
    return ReservationQuestion(
      ask: ReservationAsk(reserved, ttl: ttl, key: key),
      names: DenialText.Candidate(
        id: fields.deploymentID, modelName: fields.modelName, model: fields.model))
  }

  /// Puts the budgets of the message's names into `charged`.
  private mutating func charge(
    _ fields: some ReserveSpendFields, in catalog: BudgetCatalog, _ names: inout RequestNames
  ) throws(ServiceRefusal) {
    let subject = CandidateNames(fields)
    let slots = names.slots(subject, in: catalog)
    charged.begin()
    charged.add(slots, in: catalog)
    if catalog.hasCandidatePatterns {
      charged.add(namesOf: subject.usable, in: catalog, of: engine, at: time.now())
    }
    var hasTag = false
    fields.forEachTag { tag in
      if tag.isEmpty { return }
      hasTag = true
      let slot = catalog.tagSlot(tag)
      let name = slot == nil ? names.usable(tag, as: .tag) : tag
      if let slot { charged.addTag(slot: slot, in: catalog) }
      if catalog.hasTagPatterns {
        charged.add(ScopedName(.tag, name), in: catalog, of: engine, at: time.now())
      }
    }
    charged.addTotal(in: catalog)
    guard
      slots.hasProvider || !fields.deploymentID.isEmpty || !fields.model.isEmpty
        || !fields.modelName.isEmpty || hasTag
    else {
      throw ServiceRefusal(
        .invalidArgument,
        "the reservation names no provider, no deployment_id, no model, no model_name and no tag: "
          + "nothing could be held for it")
    }
  }
}

extension CandidateNames {
  /// The names that a reservation is for.
  fileprivate init(_ fields: some ReserveSpendFields) {
    self.init(
      id: fields.deploymentID, modelName: fields.modelName, model: fields.model,
      provider: fields.provider)
  }
}
