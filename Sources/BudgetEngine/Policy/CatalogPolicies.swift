public import BudgetModel

/// The limits and modes of a catalog's budgets: the configuration's, and over them what was changed
/// while the process runs.
struct CatalogPolicies: Sendable {
  /// A slot to its configured limit; `BudgetCatalog.unlimited` where there is none, or the budget is
  /// no longer in force.
  let limits: [PicoUSD]
  /// The budgets that are not of LiteLLM's sections: those a slot's key and limit do not tell all of.
  let own: [Int32: BudgetDefinition]
  /// The changes in force, by slot: of entries, and of the budgets that names have by patterns.
  var changed: [Int32: ChangedPolicy] = [:]

  init(limits: [PicoUSD], own: [Int32: BudgetDefinition]) {
    self.limits = limits
    self.own = own
  }

  /// The limit and mode in force of `slot`, a slot in force or of a frozen name.
  @inline(__always)
  func inForce(of slot: Int32) -> (limit: PicoUSD, mode: BudgetMode) {
    if changed.isEmpty { return (limits[Int(slot)], configuredMode(of: slot)) }
    return changedPolicy(of: slot)
  }

  private func changedPolicy(of slot: Int32) -> (limit: PicoUSD, mode: BudgetMode) {
    let change = changed[slot]
    // A frozen name's slot is younger than the configuration.
    let limit = Int(slot) < limits.count ? limits[Int(slot)] : BudgetCatalog.unlimited
    return (change?.limit ?? limit, change?.mode ?? configuredMode(of: slot))
  }

  /// The same of a budget that a name has by a pattern of that policy.
  func inForce(
    ofDynamic slot: Int32, under pattern: (limit: PicoUSD, mode: BudgetMode)
  ) -> (limit: PicoUSD, mode: BudgetMode) {
    guard !changed.isEmpty, let change = changed[slot] else { return pattern }
    return (change.limit ?? pattern.limit, change.mode ?? pattern.mode)
  }

  /// The mode of `slot` in force.
  func mode(of slot: Int32) -> BudgetMode {
    changed.isEmpty
      ? configuredMode(of: slot) : changed[slot]?.mode ?? configuredMode(of: slot)
  }

  /// The mode that the configuration gives `slot`.
  func configuredMode(of slot: Int32) -> BudgetMode {
    own.isEmpty ? .enforce : own[slot]?.policy.mode ?? .enforce
  }

  /// The calendar of `slot`, a slot in force; nil where its windows begin with a charge.
  func calendar(of slot: Int32) -> CalendarWindows? {
    guard !own.isEmpty, case .calendar(let windows)? = own[slot]?.rule else { return nil }
    return windows
  }
}

/// The changes in force of one budget. An object: dictionaries of them are copied with each change.
public final class ChangedPolicy: Sendable {
  /// The limit in force, `BudgetCatalog.unlimited` for none; nil: the configuration's.
  let limit: PicoUSD?
  /// The mode in force; nil: the configuration's.
  let mode: BudgetMode?
  /// The change of the limit.
  public let limitChange: BudgetChange?
  /// The change of the mode, which is the name's.
  public let modeChange: BudgetChange?

  /// Nil: neither is changed.
  init?(limit limitChange: BudgetChange?, mode modeChange: BudgetChange?) {
    if limitChange == nil, modeChange == nil { return nil }
    self.limitChange = limitChange
    self.modeChange = modeChange
    if case .limit(let limit)? = limitChange?.setting {
      self.limit = limit ?? BudgetCatalog.unlimited
    } else {
      limit = nil
    }
    if case .mode(let mode)? = modeChange?.setting { self.mode = mode } else { mode = nil }
  }

  /// A policy with these changes over it.
  func over(_ policy: BudgetPolicy) -> BudgetPolicy {
    let limit = self.limit ?? policy.limit ?? BudgetCatalog.unlimited
    return BudgetPolicy(
      limit: limit == BudgetCatalog.unlimited ? nil : limit, mode: mode ?? policy.mode)
  }

  /// Why, in the operators' words.
  public var reason: String {
    [limitChange?.reason, modeChange?.reason].compactMap { $0 }.filter { !$0.isEmpty }
      .joined(separator: "; ")
  }

  /// When a change ends by itself, the first one; nil: none does.
  public var until: Timestamp? {
    [limitChange?.until, modeChange?.until].compactMap { $0 }.min()
  }
}

extension ChangedPolicy: Hashable {
  /// Whether both are the same changes.
  public static func == (left: ChangedPolicy, right: ChangedPolicy) -> Bool {
    left.limitChange == right.limitChange && left.modeChange == right.modeChange
  }

  /// Feeds what `==` compares.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(limitChange)
    hasher.combine(modeChange)
  }
}

extension BudgetCatalog {
  /// Why the budget of `slot` is frozen, where an operator has said it.
  func freezeReason(of slot: Int32) -> String {
    policies.changed[slot]?.modeChange?.reason ?? ""
  }
}

/// Names that are frozen and have no budget: each has a slot that is asked and never charged.
struct FrozenNames: Sendable {
  /// By the raw value of the scope less 1; nil: none of that scope is.
  private var tables = [NameTable?](repeating: nil, count: BudgetScope.allCases.count)
  /// The names of the slots, with an empty window.
  private(set) var keys: [Int32: BudgetKey] = [:]

  var isEmpty: Bool { keys.isEmpty }

  func has(_ scope: BudgetScope) -> Bool { tables[Int(scope.rawValue) - 1] != nil }

  /// Whether the slot is a frozen name's.
  func contains(_ slot: Int32) -> Bool { !keys.isEmpty && keys[slot] != nil }

  /// The scope of the frozen name that the slot is of; nil: it is of none.
  func scope(of slot: Int32) -> BudgetScope? { keys.isEmpty ? nil : keys[slot]?.scope }

  /// The slot of a frozen name; `Slot.none` where it is not frozen, or has budgets.
  func slot(_ scope: BudgetScope, _ name: NameBytes) -> Int32 {
    tables[Int(scope.rawValue) - 1]?[name] ?? Slot.none
  }

  /// Adds a name, or takes it out.
  mutating func set(_ slot: Int32, _ key: BudgetKey, isFrozen: Bool) {
    keys[slot] = isFrozen ? key : nil
    let names = keys.filter { $0.value.scope == key.scope }.map {
      (name: $0.value.name, value: $0.key)
    }
    tables[Int(key.scope.rawValue) - 1] = names.isEmpty ? nil : NameTable(names)
  }

  /// The budget that stands for the name where budgets are told of.
  func definition(of slot: Int32) -> BudgetDefinition? {
    keys[slot].map {
      BudgetDefinition(
        key: $0, rule: .rolling(.seconds(1)), policy: BudgetPolicy(limit: nil, mode: .freeze),
        origin: .own)
    }
  }
}
