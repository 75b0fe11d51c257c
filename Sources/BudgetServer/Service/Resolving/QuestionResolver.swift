import BudgetEngine
import BudgetModel
import BudgetWire

/// Turns a FilterDeployments message into the question that the engine is asked. Parts that repeat
/// from request to request are remembered: the candidates; or the whole message, where the tags
/// repeat as well. Any shape that is not the usual one is unpacked. Nobody outside knows which way a message
/// went.
struct QuestionResolver {
  private var memo = CandidateMemo()
  /// The most candidates of one request.
  private let maximumDeployments: Int

  init(bounds: WireBounds) { maximumDeployments = bounds.maximumDeployments }

  /// The question of a message.
  struct Asked {
    /// Valid as long as the message is.
    var candidates: RequestCandidates
    /// The place that remembers the question; nil: it is in the filter.
    var place: Int?
  }

  /// Reads what `head` asks: the question is remembered or goes into `filter`, whose reply gets the
  /// configured candidates, if these are asked for.
  mutating func resolve(
    _ head: RequestHead, in catalog: BudgetCatalog, with reader: inout MessageReader,
    into filter: inout FilterInProgress
  ) throws(ServiceRefusal) -> Asked {
    filter.reply.reset()
    filter.reserve.isWanted = false
    filter.hasEstimates = false
    let whole = memo.sought(message: head.message, under: catalog.edition)
    if let whole, let known = memo.place(ofMessage: whole, into: &filter) {
      return Asked(
        candidates: RequestCandidates(known.candidates, of: head.message), place: known.place)
    }
    guard let plain = PlainFilter(head.message, bounds: reader.decoder.bounds),
      let candidates = try resolve(plain, in: catalog, with: &reader, into: &filter)
    else {
      let candidates = try resolveUnpacked(head, in: catalog, with: &reader, into: &filter)
      reader.names.count()
      return Asked(candidates: candidates, place: nil)
    }
    // Not where something was counted on the way: what is known is not counted again.
    if let whole, !reader.names.hasFindings, !filter.question.dependsOnPatterns,
      !filter.reserve.isWanted || filter.reserve.idempotencyKey.isEmpty
    {
      memo.remember(message: whole, as: &filter, candidates)
    }
    reader.names.count()
    return Asked(candidates: RequestCandidates(candidates, of: head.message), place: nil)
  }

  /// Lends the question that was read.
  @inline(__always)
  mutating func withQuestion<Result>(
    of asked: Asked, or filter: borrowing FilterInProgress,
    _ body: (borrowing FilterQuestion) -> Result
  ) -> Result {
    guard let place = asked.place else { return body(filter.question) }
    return memo.withQuestion(at: place, body)
  }

  /// Nil where a candidate has an unusual shape.
  private mutating func resolve(
    _ plain: PlainFilter, in catalog: BudgetCatalog, with reader: inout MessageReader,
    into filter: inout FilterInProgress
  ) throws(ServiceRefusal) -> AskedCandidates? {
    try begin(plain, &reader, &filter)
    let candidates: AskedCandidates
    if plain.deploymentCount == 0, !plain.modelName.isEmpty {
      candidates = .configured(try addConfigured(of: plain.modelName, in: catalog, to: &filter))
    } else {
      guard
        add(
          plain.candidates, askedAs: plain.modelName, in: catalog, with: &reader, to: &filter)
      else { return nil }
      candidates = .list(length: plain.candidates.count)
    }
    addTags(of: plain, in: catalog, with: &reader, to: &filter)
    return candidates
  }

  private mutating func resolveUnpacked(
    _ head: RequestHead, in catalog: BudgetCatalog, with reader: inout MessageReader,
    into filter: inout FilterInProgress
  ) throws(ServiceRefusal) -> RequestCandidates {
    let view = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.filterDeployments(head)
    }
    try begin(view, &reader, &filter)
    let candidates: RequestCandidates
    if view.deploymentCount == 0, !view.modelName.isEmpty {
      candidates = .configured(try addConfigured(of: view.modelName, in: catalog, to: &filter))
    } else {
      filter.hasEstimates = true
      for position in 0..<view.deploymentCount {
        add(
          view.deployment(at: position), askedAs: view.modelName, in: catalog, with: &reader,
          to: &filter.question)
      }
      candidates = .unpacked(view)
    }
    addTags(of: view, in: catalog, with: &reader, to: &filter)
    return candidates
  }

  private func begin(
    _ fields: some FilterDeploymentsFields, _ reader: inout MessageReader,
    _ filter: inout FilterInProgress
  ) throws(ServiceRefusal) {
    reader.names.begin()
    filter.reply.reset()
    filter.question.begin()
    filter.question.maximumDenials = reader.decoder.bounds.maximumDenials
    if fields.reserve.isWanted {
      filter.reserve = fields.reserve
    } else if let field = fields.reserve.strayField {
      throw ServiceRefusal(
        .invalidArgument, "\(field) without reserve: set reserve too, or leave it out")
    }
    if !fields.modelName.isEmpty { try ServiceRefusal.check(fields.modelName, field: "model_name") }
    if fields.estimatedCostUSD != 0 {
      filter.question.estimate = try ServiceRefusal.amount(
        fields.estimatedCostUSD, field: "estimated_cost_usd")
    }
  }

  /// Adds the candidates that a message gives in the usual shape; false where one has another.
  private mutating func add(
    _ list: NameBytes, askedAs modelName: NameBytes, in catalog: BudgetCatalog,
    with reader: inout MessageReader, to filter: inout FilterInProgress
  ) -> Bool {
    // The list's meaning depends on the name that was asked for, if names have budgets.
    let isWhole =
      !catalog.hasCandidatePatterns && (modelName.isEmpty || !catalog.asksModelNames)
    let sought = isWhole ? memo.sought(list: list, under: catalog.edition) : nil
    if let sought, memo.recall(sought, into: &filter) { return true }
    let isUsual = read(list, in: catalog) {
      if $0.estimatedCostUSD != nil { filter.hasEstimates = true }
      add($0, askedAs: modelName, in: catalog, with: &reader, to: &filter.question)
    }
    guard isUsual else { return false }
    // Not where something was counted on the way: what is known is not counted again.
    if let sought, !reader.names.hasFindings { memo.remember(list: sought, as: &filter) }
    return true
  }

  /// Calls `body` with each candidate of `list`; false where one has another shape than the usual
  /// one. Some are read at a time, so that what their look-ups will touch can be fetched together.
  @inline(__always)
  private func read(
    _ list: NameBytes, in catalog: BudgetCatalog, _ body: (DeploymentNames) -> Void
  ) -> Bool {
    var deployments = PlainDeployments(list)
    var names = InlineArray<8, DeploymentNames>(repeating: DeploymentNames())
    while true {
      var (count, isAtEnd) = (0, false)
      reading: while count < names.count {
        switch deployments.next() {
        case .deployment(let read):
          names[count] = read
          count += 1
        case .unusual: return false
        case .end:
          isAtEnd = true
          break reading
        }
      }
      if catalog.isLarge {
        var ids = InlineArray<8, NameBytes>(repeating: .absent)
        for index in 0..<count { ids[index] = names[index].id }
        catalog.lookAhead(ids.span.extracting(first: count))
      }
      for index in 0..<count { body(names[index]) }
      if isAtEnd { return true }
    }
  }

  /// Adds one candidate, with what patterns give its names.
  @inline(__always)
  private func add(
    _ names: DeploymentNames, askedAs modelName: NameBytes, in catalog: BudgetCatalog,
    with reader: inout MessageReader, to question: inout FilterQuestion
  ) {
    question.add(reader.names.slots(of: names, askedAs: modelName, in: catalog))
    guard catalog.hasCandidatePatterns else { return }
    let asked = CandidateNames(
      id: names.id, modelName: modelName.isEmpty ? names.modelName : modelName,
      model: names.model, provider: names.provider)
    question.askCandidate(asked.usable, in: catalog)
  }

  /// Adds the configured candidates of a model, and gives their places in the model list.
  private mutating func addConfigured(
    of modelName: NameBytes, in catalog: BudgetCatalog, to filter: inout FilterInProgress
  ) throws(ServiceRefusal) -> ArraySlice<Int32> {
    let group = try catalog.candidates(
      ofModelName: modelName, atMost: maximumDeployments)
    let hasPatterns = catalog.hasCandidatePatterns
    let sought = hasPatterns ? nil : memo.sought(list: modelName, under: catalog.edition)
    if let sought, memo.recall(sought, into: &filter) { return group }
    for index in group {
      filter.question.add(catalog.candidate(at: index, askedAs: modelName))
      if hasPatterns {
        catalog.deployments.withID(at: Int(index)) { id in
          filter.question.askCandidate(
            CandidateNames(id: id, modelName: modelName, model: .absent, provider: .absent),
            in: catalog)
        }
      }
      filter.reply.addCandidate(at: Int(index), of: catalog.deployments)
    }
    if let sought { memo.remember(list: sought, as: &filter) }
    return group
  }

  private func addTags(
    of fields: some FilterDeploymentsFields, in catalog: BudgetCatalog,
    with reader: inout MessageReader, to filter: inout FilterInProgress
  ) {
    fields.forEachTag { tag in
      let slot = catalog.tagSlot(tag)
      let name = slot == nil ? reader.names.usable(tag, as: .tag) : tag
      if catalog.hasTagPatterns {
        filter.question.askTag(name, first: slot, in: catalog)
      } else if let slot {
        filter.question.addTag(slot: slot)
      }
    }
  }
}

extension BudgetCatalog {
  /// The places of the configured candidates of `modelName` in the model list.
  func candidates(
    ofModelName modelName: NameBytes, atMost bound: Int
  ) throws(ServiceRefusal) -> ArraySlice<Int32> {
    guard let group = group(modelName) else {
      throw ServiceRefusal(
        .notFound,
        "model_name '\(modelName.printable)' is not in the model list; give deployments, or add it")
    }
    guard group.count <= bound else {
      throw ServiceRefusal(
        .failedPrecondition,
        "model_name '\(modelName.printable)' has \(group.count) deployments; at most \(bound) are "
          + "filtered in one request: give the deployments, in parts")
    }
    return group
  }
}

extension FilterReply {
  /// Adds the entry at `index` of the model list.
  fileprivate mutating func addCandidate(at index: Int, of deployments: CatalogDeployments) {
    deployments.withNames(at: index) { id, modelName, model, provider in
      addCandidate(
        Candidate(
          id: id, modelName: modelName, model: model, provider: provider,
          isFree: deployments.isFree(at: index)))
    }
  }
}

extension CatalogDeployments {
  /// Lends the names of the entry at `index`; no text is built.
  func withNames<Result>(
    at index: Int, _ body: (NameBytes, NameBytes, NameBytes, NameBytes) -> Result
  ) -> Result {
    withID(at: index) { id in
      NameBytes.with(modelName(at: index)) { modelName in
        NameBytes.with(model(at: index)) { model in
          NameBytes.with(provider(at: index) ?? "") { provider in
            body(id, modelName, model, provider)
          }
        }
      }
    }
  }
}

extension RequestNames {
  /// The budgets that a candidate is checked against; `modelName` is the request's own, if it gives
  /// one.
  @inline(__always)
  mutating func slots(
    of names: DeploymentNames, askedAs modelName: NameBytes, in catalog: BudgetCatalog
  ) -> CandidateSlots {
    var slots = slots(
      CandidateNames(
        id: names.id, modelName: modelName.isEmpty ? names.modelName : modelName,
        model: names.model, provider: names.provider), in: catalog)
    if names.isFree { slots.isFree = true }
    return slots
  }
}

extension CandidateNames {
  /// The same without names that can match nothing; what is wrong with them was counted before.
  var usable: CandidateNames {
    func usable(_ name: NameBytes) -> NameBytes { name.fault == nil ? name : .absent }
    return CandidateNames(
      id: id, modelName: usable(modelName), model: usable(model), provider: usable(provider))
  }
}
