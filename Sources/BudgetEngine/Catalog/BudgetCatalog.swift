public import BudgetModel

/// The configuration in force, ready for look-ups by bytes: names to slots, slots to
/// limits. Immutable; a reload makes a new one and swaps it in as a whole.
///
/// Memory: some 90 bytes a budgeted deployment; names and keys are shared with the slot registry.
public final class BudgetCatalog: Sendable {
  /// Counts configurations in force within this process, from 1.
  public let generation: UInt64
  /// How the provider of a model is found.
  public let directory: ProviderDirectory
  /// Every entry of the model list whose id is its first, in the file's order.
  public let deployments: CatalogDeployments

  /// The slot of every budget in force: providers, then deployments, then tags, each in the file's
  /// order.
  let slots: [Int32]
  /// The key of every slot.
  let keys: SlotKeys
  /// Each scope's range of `slots`, by `BudgetScope.rawValue` - 1.
  private let scopeRanges: [Range<Int>]
  let providerSlots: NameTable
  let tagSlots: NameTable
  /// The slots of each entry of `deployments`.
  let deploymentCandidates: [CandidateSlots]
  /// The provider's slot for each of `directory.names`; `Slot.none` where it has no budget.
  let directorySlots: [Int32]
  /// A slot to its position in `slots`; -1 for slots of budgets no longer in force.
  let budgetIndexes: [Int32]
  /// A slot to its limit; `unlimited` where there is none, or the budget is no longer in force.
  let limits: [PicoUSD]

  /// The gates of every slot there is, block by block.
  private let gates: [SlotGates]
  /// The gate's word for a slot that cannot deny under this configuration.
  private let openGate: UInt64

  /// A limit that no spend reaches.
  static let unlimited = PicoUSD(pico: .max)

  /// Builds the tables. `slots` are those of `configuration.budgets`, in the same order, and `keys`
  /// those of all slots.
  init(
    generation: UInt64, configuration: BudgetConfiguration, slots: [Int32], keys: SlotKeys,
    gates: [SlotGates]
  ) {
    self.generation = generation
    self.gates = gates
    self.slots = slots
    self.keys = keys
    openGate = SlotGates.open(generation: generation)
    directory = configuration.directory
    var budgetIndexes = [Int32](repeating: -1, count: keys.count)
    var limits = [PicoUSD](repeating: Self.unlimited, count: keys.count)
    for (index, slot) in slots.enumerated() {
      if let limit = configuration.budgets[index].limit { limits[Int(slot)] = limit }
      budgetIndexes[Int(slot)] = Int32(index)
    }
    var scopeRanges: [Range<Int>] = []
    for scope in BudgetScope.allCases {
      let start = scopeRanges.last?.upperBound ?? 0
      let end = slots[start...].firstIndex { keys.scope(of: $0) != scope } ?? slots.count
      scopeRanges.append(start..<end)
    }
    precondition(
      scopeRanges.last?.upperBound == slots.count, "budgets come scope by scope, in order")
    self.scopeRanges = scopeRanges
    func slotsOf(_ scope: BudgetScope) -> NameTable {
      let slots = slots[scopeRanges[Int(scope.rawValue) - 1]]
      var table = NameTable(capacity: slots.count, pool: keys.names)
      for slot in slots { _ = table.insert(keys.name(of: slot), value: slot) }
      return table
    }
    let providerSlots = slotsOf(.provider)
    let deploymentSlots = slotsOf(.deployment)
    func slot(ofProvider provider: String?) -> Int32 {
      guard let provider else { return Slot.none }
      return NameBytes.with(provider) { providerSlots[$0] } ?? Slot.none
    }
    deployments = CatalogDeployments(
      configuration.deployments, slots: deploymentSlots, keys: keys)
    let slotsOfProviders = deployments.providers.map { slot(ofProvider: $0) }
    deploymentCandidates = deployments.entries.map { entry in
      CandidateSlots(
        provider: entry.provider < 0 ? Slot.none : slotsOfProviders[Int(entry.provider)],
        deployment: entry.slot, hasProvider: entry.provider >= 0)
    }
    self.budgetIndexes = budgetIndexes
    self.limits = limits
    self.providerSlots = providerSlots
    tagSlots = slotsOf(.tag)
    directorySlots = directory.names.map { slot(ofProvider: $0) }
  }

  /// Every budget in force: providers, then deployments, then tags, each in the file's order.
  public var budgets: CatalogBudgets { CatalogBudgets(catalog: self, range: slots.indices) }

  /// The budgets of one scope, in the file's order.
  public func budgets(_ scope: BudgetScope) -> CatalogBudgets {
    CatalogBudgets(catalog: self, range: scopeRanges[Int(scope.rawValue) - 1])
  }

  /// The budget of `slot`, or nil where it is no longer in force.
  func budget(ofSlot slot: Int32) -> CatalogBudget? {
    budgetIndexes[Int(slot)] < 0 ? nil : CatalogBudget(slot: slot, definition: definition(of: slot))
  }

  /// Whether `slot` is the slot of a budget in force under this configuration.
  func isInForce(_ slot: Int32) -> Bool {
    Int(slot) < budgetIndexes.count && budgetIndexes[Int(slot)] >= 0
  }

  /// The configured budget of `slot`, which is in force.
  func definition(of slot: Int32) -> BudgetDefinition {
    let limit = limits[Int(slot)]
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
}

/// One budget in force.
public struct CatalogBudget: Sendable {
  /// The budget's slot.
  public let slot: Int32
  /// Its definition in the configuration.
  public let definition: BudgetDefinition
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
    return CatalogBudget(slot: slot, definition: catalog.definition(of: slot))
  }

  /// The budgets at some positions of the range.
  public subscript(bounds: Range<Int>) -> CatalogBudgets {
    precondition(
      bounds.lowerBound >= range.lowerBound && bounds.upperBound <= range.upperBound,
      "budgets outside the range")
    return CatalogBudgets(catalog: catalog, range: bounds)
  }
}
