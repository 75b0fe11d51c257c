public import BudgetModel

/// A name of a kind, as a request gives it. Valid as long as the request is.
public struct ScopedName {
  /// The kind of thing that has the name.
  public var scope: BudgetScope
  /// The name.
  public var name: NameBytes

  /// Makes a name of a kind.
  public init(_ scope: BudgetScope, _ name: NameBytes) {
    self.scope = scope
    self.name = name
  }
}

extension FilterQuestion {
  /// Adds a tag: its entries' budgets, of which `first` is the first slot, if it has any, and those
  /// that patterns give it. Creates nothing: a name that was never charged costs a look-up.
  public mutating func askTag(_ tag: NameBytes, first: Int32?, in catalog: BudgetCatalog) {
    let start = checks.count
    let first = first ?? Slot.none
    addChecks(of: ScopedName(.tag, tag), first: first, in: catalog)
    addTag(
      first: first, checksFrom: start,
      hash: checks.count == start ? 0 : catalog.dynamic.hash(.tag, tag))
  }

  /// Adds what patterns give the provider and the public model name of `names`, those of the last
  /// candidate.
  public mutating func askCandidate(_ names: CandidateNames, in catalog: BudgetCatalog) {
    noteDependence()
    let start = checks.count
    catalog.withBudgetedNames(names) { provider, model in
      addChecks(
        of: ScopedName(.provider, provider),
        first: catalog.firstSlot(.provider, provider) ?? Slot.none,
        in: catalog)
      let middle = checks.count
      addChecks(
        of: ScopedName(.model, model), first: catalog.firstSlot(.model, model) ?? Slot.none,
        in: catalog)
      setCandidateChecks(from: start, middle: middle)
    }
  }

  private mutating func addChecks(
    of name: ScopedName, first: Int32, in catalog: BudgetCatalog
  ) {
    // Always by way of the catalog: held by themselves, the patterns' references would be counted, each
    // time, by all lanes.
    guard let group = catalog.patterns.group(name.scope, of: name.name) else { return }
    noteDependence()
    let start = checks.count
    catalog.dynamic.forEach(name.scope, name.name) { row in
      guard let pattern = catalog.patterns.pattern(of: row.window, in: group) else { return }
      add(DynamicCheck(slot: row.slot, life: row.life, pattern: pattern))
    }
    // Nearly always: a name that was never charged, of patterns that deny nobody who spent nothing.
    let isJudged =
      catalog.patterns.judgesUncharged || estimate > .zero
      || catalog.patterns.full == .deny && catalog.dynamic.isFull
    if checks.count == start, !isJudged { return }
    arrangeChecks(from: start, group, catalog.patterns, entries: catalog.rules(from: first))
  }
}
