public import BudgetModel

/// The configuration in force, ready for look-ups by bytes: names to slots, slots to
/// limits. Immutable; a reload makes a new one and swaps it in as a whole.
///
/// Memory: some 90 bytes a budgeted deployment; names and keys are shared with the slot registry.
public final class BudgetCatalog: Sendable {
  /// Counts configurations in force within this process, from 1.
  public let generation: UInt64
  /// Counts configurations and changes of policy alike: another number may mean another answer.
  public let edition: UInt64
  /// How the provider of a model is found.
  public let directory: ProviderDirectory
  /// Every entry of the model list whose id is its first, in the file's order.
  public let deployments: CatalogDeployments

  /// The slot of every budget in force, scope by scope in the order of `BudgetScope.inOrder`, each
  /// scope's in the file's order.
  let slots: [Int32]
  /// The key of every slot.
  let keys: SlotKeys
  /// Each scope's range of `slots`, by `BudgetScope.rawValue` - 1.
  private let scopeRanges: [Range<Int>]
  let providerSlots: NameTable
  let tagSlots: NameTable
  let modelSlots: NameTable
  /// The budgets of deployments that the model list does not have.
  let strangerSlots: NameTable?
  let poolSlots: NameTable
  /// The first budget of everything together; `Slot.none` where there is none.
  let totalSlot: Int32
  private let configuredTotalSlot: Int32
  let pools: CatalogPools
  /// The members of each pool, as configured.
  public let poolMembers: [PoolMembers]
  /// The budgets that names get which no entry names.
  let patterns: CatalogPatterns
  /// The dynamic budgets, which are those of all configurations.
  let dynamic: DynamicBudgets
  /// Whether patterns have a say about tags.
  public let hasTagPatterns: Bool
  /// Whether patterns have a say about providers or public model names.
  public let hasCandidatePatterns: Bool
  /// The meaning of a requested model name that no model group has.
  let modelGroups: ModelGroups
  /// Whether the public model name decides which budgets are asked.
  public let asksModelNames: Bool
  private let asksConfiguredModels: Bool
  /// The slots of each entry of `deployments`.
  let deploymentCandidates: [CandidateSlots]
  /// The slots of a candidate of each of `directory.names`.
  let directoryCandidates: [CandidateSlots]
  /// A slot to its position in `slots`; -1 for slots of budgets no longer in force.
  let budgetIndexes: [Int32]
  /// The limits and modes of the slots.
  let policies: CatalogPolicies
  /// Names that are frozen and have no budget.
  let frozen: FrozenNames
  /// A slot to the next one of its name; empty where no name has two budgets.
  private let nextSlots: [Int32]

  /// The gates of every slot there is, block by block.
  private let gates: [SlotGates]
  /// The gate's word for a slot that cannot deny under this configuration, and for one that has a
  /// next slot.
  private let openGate: UInt64
  private let openGateOfChain: UInt64

  /// A limit that no spend reaches.
  static let unlimited = PicoUSD(pico: .max)

  /// The parts of an engine that its catalogs read.
  struct Tables {
    var gates: [SlotGates]
    var dynamic: DynamicBudgets
    var edition: UInt64
  }

  /// Builds the tables. `slots` are those of `configuration.budgets`, in the same order, and `keys`
  /// those of all slots.
  init(
    generation: UInt64, configuration: BudgetConfiguration, slots: [Int32], keys: SlotKeys,
    tables: Tables
  ) {
    let gates = tables.gates
    dynamic = tables.dynamic
    edition = tables.edition
    frozen = FrozenNames()
    self.generation = generation
    self.gates = gates
    self.slots = slots
    self.keys = keys
    openGate = SlotGates.open(generation: generation)
    openGateOfChain = SlotGates.open(generation: generation, hasNext: true)
    directory = configuration.directory
    var budgetIndexes = [Int32](repeating: -1, count: keys.count)
    var limits = [PicoUSD](repeating: Self.unlimited, count: keys.count)
    var ownBudgets: [Int32: BudgetDefinition] = [:]
    for (index, slot) in slots.enumerated() {
      let budget = configuration.budgets[index]
      if let limit = budget.limit { limits[Int(slot)] = limit }
      if budget.origin == .own { ownBudgets[slot] = budget }
      budgetIndexes[Int(slot)] = Int32(index)
    }
    self.budgetIndexes = budgetIndexes
    policies = CatalogPolicies(limits: limits, own: ownBudgets)
    scopeRanges = CatalogParts.scopeRanges(of: slots, keys: keys)
    var names = BudgetChains(slots: slots, scopeRanges: scopeRanges, keys: keys)
    providerSlots = names.table(.provider, ownBudgets)
    let deploymentSlots = names.table(.deployment, ownBudgets)
    modelSlots = names.table(.model, ownBudgets)
    poolSlots = names.table(.pool, ownBudgets)
    tagSlots = names.table(.tag, ownBudgets)
    let totals = names.table(.total, ownBudgets)
    nextSlots = names.nextSlots
    totalSlot = NameBytes.with(BudgetKey.totalName) { totals[$0] } ?? Slot.none
    configuredTotalSlot = totalSlot
    let poolTable = poolSlots
    let pools = CatalogPools(configuration.pools) { name in
      NameBytes.with(name) { poolTable[$0] }
    }
    self.pools = pools
    poolMembers = configuration.pools
    let slotOfKey = CatalogParts.patternSlots(configuration, slots)
    let patterns = CatalogPatterns(
      configuration.patterns, full: configuration.dynamicBudgetsFull, keys: keys,
      slotOf: { slotOfKey[$0] ?? Slot.none })
    self.patterns = patterns
    hasTagPatterns = patterns.has(.tag)
    hasCandidatePatterns = patterns.has(.provider) || patterns.has(.model)
    asksModelNames =
      !scopeRanges[Int(BudgetScope.model.rawValue) - 1].isEmpty
      || !pools.models.isEmpty || patterns.has(.model)
    asksConfiguredModels = asksModelNames
    deployments = CatalogDeployments(
      configuration.deployments, slots: deploymentSlots, keys: keys)
    modelGroups = ModelGroups(
      groups: deployments.groupNames, aliases: configuration.aliases, directory: directory)
    strangerSlots = CatalogParts.strangers(
      among: ownBudgets, to: deployments, first: deploymentSlots)
    let tables = CandidateTables(providers: providerSlots, models: modelSlots, pools: pools)
    deploymentCandidates = tables.candidates(of: deployments)
    directoryCandidates = directory.names.map { tables.candidate(ofProvider: $0) }
  }

  /// The rules of the budgets of one name, from its first slot on.
  func rules(from first: Int32) -> [WindowRule] {
    if first == Slot.none { return [] }
    return budgets(from: first).map(\.definition.rule)
  }

  /// Every budget in force, scope by scope in the order of `BudgetScope.inOrder`.
  public var budgets: CatalogBudgets { CatalogBudgets(catalog: self, range: slots.indices) }

  /// The budgets of one scope, in the file's order.
  public func budgets(_ scope: BudgetScope) -> CatalogBudgets {
    CatalogBudgets(catalog: self, range: scopeRanges[Int(scope.rawValue) - 1])
  }

  /// The budget of `slot`, or nil where it is no longer in force.
  func budget(ofSlot slot: Int32) -> CatalogBudget? {
    guard isInForce(slot) else {
      return frozen.definition(of: slot).map {
        CatalogBudget(slot: slot, definition: $0, configured: BudgetPolicy(limit: nil))
      }
    }
    return CatalogBudget(slot, configured(of: slot), policies.changed[slot])
  }

  /// Whether `slot` is the slot of a budget in force under this configuration.
  func isInForce(_ slot: Int32) -> Bool {
    Int(slot) < budgetIndexes.count && budgetIndexes[Int(slot)] >= 0
  }

  /// The budget of `slot`, which is in force, as it was configured.
  func configured(of slot: Int32) -> BudgetDefinition {
    if let own = policies.own[slot] { return own }
    let limit = policies.limits[Int(slot)]
    return BudgetDefinition(
      key: keys[slot], windowLength: keys.windowLength(of: slot),
      limit: limit == Self.unlimited ? nil : limit)
  }

  /// Whether the budget of `slot`, a slot in force, denies no request that names no estimate. One
  /// atomic load; false says only that a closer look is needed.
  @inline(__always)
  func isOpen(_ slot: Int32) -> Bool {
    gates[Int(slot) >> SlotGates.shift].isOpen(Int(slot) & (SlotGates.count - 1), openGate)
  }

  /// Whether the budget of `slot` by itself denies no request that names no estimate, whatever the
  /// next one of its name does.
  func isOpenItself(_ slot: Int32) -> Bool {
    isOpen(slot)
      || !nextSlots.isEmpty
        && gates[Int(slot) >> SlotGates.shift].isOpen(
          Int(slot) & (SlotGates.count - 1), openGateOfChain)
  }

  /// The slot of the next budget of the same name, to be asked after `slot`; `Slot.none` at the end.
  @inline(__always)
  func next(after slot: Int32) -> Int32 {
    Int(slot) < nextSlots.count ? nextSlots[Int(slot)] : Slot.none
  }

  /// The window of `slot` as its sentences name it; nil for LiteLLM's, whose sentences have none.
  func spokenWindow(of slot: Int32) -> String? {
    policies.own.isEmpty ? nil : policies.own[slot]?.key.windowText
  }

  /// `other` with other policies over the same names and slots. `tables` are as they stand now.
  init(_ other: BudgetCatalog, _ changes: ChangesInForce, tables: Tables) {
    (generation, edition) = (other.generation, tables.edition)
    (directory, deployments) = (other.directory, other.deployments)
    (slots, keys, scopeRanges) = (other.slots, other.keys, other.scopeRanges)
    (providerSlots, tagSlots, modelSlots) = (other.providerSlots, other.tagSlots, other.modelSlots)
    (strangerSlots, poolSlots) = (other.strangerSlots, other.poolSlots)
    (pools, poolMembers) = (other.pools, other.poolMembers)
    (nextSlots, budgetIndexes) = (other.nextSlots, other.budgetIndexes)
    (deploymentCandidates, directoryCandidates) =
      (other.deploymentCandidates, other.directoryCandidates)
    (openGate, openGateOfChain) = (other.openGate, other.openGateOfChain)
    modelGroups = other.modelGroups
    (gates, dynamic) = (tables.gates, tables.dynamic)
    (hasTagPatterns, hasCandidatePatterns) = (other.hasTagPatterns, other.hasCandidatePatterns)
    var policies = other.policies
    policies.changed = changes.slots
    self.policies = policies
    frozen = changes.frozen
    patterns = CatalogPatterns(other.patterns, changes.patterns)
    asksModelNames = other.asksConfiguredModels || frozen.has(.model)
    asksConfiguredModels = other.asksConfiguredModels
    configuredTotalSlot = other.configuredTotalSlot
    totalSlot =
      configuredTotalSlot != Slot.none
      ? configuredTotalSlot
      : NameBytes.with(BudgetKey.totalName) { [frozen] in frozen.slot(.total, $0) }
  }
}

/// The parts that a catalog works out once, from its configuration.
private enum CatalogParts {
  /// The slots of the patterns' own keys.
  static func patternSlots(
    _ configuration: BudgetConfiguration, _ slots: [Int32]
  ) -> [BudgetKey: Int32] {
    var found: [BudgetKey: Int32] = [:]
    if configuration.patterns.isEmpty { return found }
    let keys = Set(configuration.patterns.map(\.key))
    for (budget, slot) in zip(configuration.budgets, slots) where keys.contains(budget.key) {
      found[budget.key] = slot
    }
    return found
  }

  static func strangers(
    among own: [Int32: BudgetDefinition], to list: CatalogDeployments, first: NameTable
  ) -> NameTable? {
    let strangers = own.values.filter { $0.key.scope == .deployment }.compactMap { budget in
      NameBytes.with(budget.key.name) { name in
        list.indexes[name] == nil ? first[name].map { (name: budget.key.name, value: $0) } : nil
      }
    }
    return strangers.isEmpty ? nil : NameTable(strangers)
  }

  static func scopeRanges(of slots: [Int32], keys: SlotKeys) -> [Range<Int>] {
    var ranges = [Range<Int>](repeating: 0..<0, count: BudgetScope.allCases.count)
    var start = 0
    for scope in BudgetScope.inOrder {
      let end = slots[start...].firstIndex { keys.scope(of: $0) != scope } ?? slots.count
      ranges[Int(scope.rawValue) - 1] = start..<end
      start = end
    }
    precondition(start == slots.count, "budgets come scope by scope, in order")
    return ranges
  }
}

/// The names that have budgets: a table for each scope, and the budgets of one name in a row.
private struct BudgetChains {
  let slots: [Int32]
  let scopeRanges: [Range<Int>]
  let keys: SlotKeys
  /// Empty until a name has a second budget.
  var nextSlots: [Int32] = []

  init(slots: [Int32], scopeRanges: [Range<Int>], keys: SlotKeys) {
    self.slots = slots
    self.scopeRanges = scopeRanges
    self.keys = keys
  }

  /// The first slot of each name of `scope`. LiteLLM's comes first, then the shortest window.
  mutating func table(
    _ scope: BudgetScope, _ own: [Int32: BudgetDefinition]
  ) -> NameTable {
    let range = scopeRanges[Int(scope.rawValue) - 1]
    var table = NameTable(capacity: range.count, pool: keys.names)
    for slot in slots[range] where own.isEmpty || own[slot] == nil { add(slot, to: &table) }
    if own.isEmpty { return table }
    let others = slots[range].compactMap { slot in own[slot].map { (slot, $0.rule) } }
    for (slot, _) in others.sorted(by: { $0.1.isShorter(than: $1.1) }) { add(slot, to: &table) }
    return table
  }

  private mutating func add(_ slot: Int32, to table: inout NameTable) {
    let name = keys.name(of: slot)
    if table.insert(name, value: slot) { return }
    if nextSlots.isEmpty { nextSlots = [Int32](repeating: Slot.none, count: keys.count) }
    guard var last = keys.names.with(name, { table[$0] }) else { return }
    while nextSlots[Int(last)] != Slot.none { last = nextSlots[Int(last)] }
    nextSlots[Int(last)] = slot
  }
}

/// One budget in force.
public struct CatalogBudget: Sendable {
  /// The budget's slot.
  public let slot: Int32
  /// Its definition, with the policy in force.
  public let definition: BudgetDefinition
  /// The policy that the configuration gives it.
  public let configured: BudgetPolicy
  /// The changes in force; nil: there are none.
  public let changed: ChangedPolicy?

  init(
    slot: Int32, definition: BudgetDefinition, configured: BudgetPolicy,
    changed: ChangedPolicy? = nil
  ) {
    self.slot = slot
    self.definition = definition
    self.configured = configured
    self.changed = changed
  }

  /// The budget of a definition as configured, with the changes over it.
  init(_ slot: Int32, _ configured: BudgetDefinition, _ changed: ChangedPolicy?) {
    var definition = configured
    if let changed { definition.policy = changed.over(configured.policy) }
    self.init(
      slot: slot, definition: definition, configured: configured.policy, changed: changed)
  }
}

/// Some of a catalog's budgets, in order: each is put together when it is asked for, since a million
/// of them are too many to be kept.
public struct CatalogBudgets: RandomAccessCollection, Sendable {
  private let catalog: BudgetCatalog
  private let range: Range<Int>

  init(catalog: BudgetCatalog, range: Range<Int>) {
    self.catalog = catalog
    self.range = range
  }

  /// The first one's position in the catalog.
  public var startIndex: Int { range.lowerBound }
  /// The position behind the last one.
  public var endIndex: Int { range.upperBound }

  /// The budget at a position of the range.
  public subscript(index: Int) -> CatalogBudget {
    precondition(range.contains(index), "a budget outside the range")
    let slot = catalog.slots[index]
    return CatalogBudget(slot, catalog.configured(of: slot), catalog.policies.changed[slot])
  }

  /// The budgets at some positions of the range.
  public subscript(bounds: Range<Int>) -> CatalogBudgets {
    precondition(
      bounds.lowerBound >= range.lowerBound && bounds.upperBound <= range.upperBound,
      "budgets outside the range")
    return CatalogBudgets(catalog: catalog, range: bounds)
  }
}

/// The tables by which the names of the model list become slots.
private struct CandidateTables {
  let providers: NameTable
  let models: NameTable
  let pools: CatalogPools

  func candidate(ofProvider provider: String) -> CandidateSlots {
    NameBytes.with(provider) { name in
      CandidateSlots(
        provider: providers[name] ?? Slot.none, deployment: Slot.none, hasProvider: true,
        pools: pools.providers.pools(of: name))
    }
  }

  /// The slots of each entry.
  func candidates(of list: CatalogDeployments) -> [CandidateSlots] {
    let ofProviders = list.providers.map { candidate(ofProvider: $0) }
    return list.entries.indices.map { index in
      let entry = list.entries[index]
      var slots = entry.provider < 0 ? .none : ofProviders[Int(entry.provider)]
      slots.deployment = entry.slot
      slots.isFree = list.isFree(at: index)
      if !pools.isEmpty {
        slots.pools |= list.withID(at: index) { pools.deployments.pools(of: $0) }
      }
      let group = list.modelName(at: index)
      slots.servesPattern = group.utf8.contains(UInt8(ascii: "*"))
      if slots.servesPattern { return slots }
      NameBytes.with(group) { name in
        slots.model = models[name] ?? Slot.none
        slots.pools |= pools.models.pools(of: name)
      }
      return slots
    }
  }
}
