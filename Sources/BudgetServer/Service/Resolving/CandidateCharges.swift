import BudgetEngine
import BudgetModel
import BudgetWire

/// Looks up the budgets of a candidate as those of a record of its names, where patterns have a say:
/// what is held back makes a name's budget as a charge does.
struct CandidateCharges {
  private let candidates: RequestCandidates
  private var cursor: CandidateCursor
  let catalog: BudgetCatalog
  let engine: BudgetEngine
  let now: Timestamp
  /// The request's own, if it gives one; valid as long as the message is.
  private var modelName = NameBytes.absent
  private var tags: [NameBytes] = []

  init(
    candidates: RequestCandidates, in catalog: BudgetCatalog, of engine: BudgetEngine,
    at now: Timestamp
  ) {
    self.candidates = candidates
    cursor = CandidateCursor(candidates)
    self.catalog = catalog
    self.engine = engine
    self.now = now
  }

  /// Reads the names that all candidates have in common.
  mutating func readNames(
    _ head: RequestHead, with reader: inout MessageReader
  ) throws(ServiceRefusal) {
    if case .unpacked(let view) = candidates {
      take(view)
    } else if let plain = PlainFilter(head.message, bounds: reader.decoder.bounds) {
      take(plain)
    } else {
      // The candidates are the model list's: nothing of the message has been unpacked for them.
      take(
        try ServiceRefusal.of { () throws(WireFault) in
          try reader.decoder.filterDeployments(head)
        })
    }
  }

  private mutating func take(_ fields: some FilterDeploymentsFields) {
    modelName = fields.modelName
    var tags: [NameBytes] = []
    fields.forEachTag { tag in
      if !tag.isEmpty { tags.append(tag) }
    }
    self.tags = tags
  }

  /// Adds the budgets of the candidate at `position`, whose configured ones are `slots`. Positions ascend
  /// from call to call.
  mutating func add(_ position: Int, _ slots: CandidateSlots, to charged: inout ChargedSlots) {
    charged.add(slots, in: catalog)
    if catalog.hasCandidatePatterns {
      cursor.withNames(at: position, in: catalog) { names in
        let asked = CandidateNames(
          id: names.id, modelName: modelName.isEmpty ? names.modelName : modelName,
          model: names.model, provider: names.provider)
        charged.add(namesOf: asked.usable, in: catalog, of: engine, at: now)
      }
    }
    for tag in tags {
      let slot = catalog.tagSlot(tag)
      if let slot { charged.addTag(slot: slot, in: catalog) }
      if catalog.hasTagPatterns {
        let name = slot == nil && tag.fault != nil ? NameBytes.absent : tag
        charged.add(ScopedName(.tag, name), in: catalog, of: engine, at: now)
      }
    }
    charged.addTotal(in: catalog)
  }
}
