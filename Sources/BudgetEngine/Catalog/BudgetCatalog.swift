public import BudgetModel

/// What the configuration in force says, ready for look-ups by bytes: names to slots, slots to
/// limits. Immutable; a reload makes a new one and swaps it in as a whole.
public final class BudgetCatalog: Sendable {
  /// Counts configurations in force within this process, from 1.
  public let generation: UInt64
  /// Every budget in force: providers, then deployments, then tags, each in the file's order.
  public let budgets: [CatalogBudget]
  /// Every entry of the model list whose id is its first, in the file's order.
  public let deployments: [ConfiguredDeployment]
  /// How the provider of a model is found.
  public let directory: ProviderDirectory

  /// Where each scope's budgets stand in `budgets`, by `BudgetScope.rawValue` - 1.
  private let scopeRanges: [Range<Int>]
  let providerSlots: NameTable
  let tagSlots: NameTable
  /// A deployment's id to its position in `deployments`.
  let deploymentIndexes: NameTable
  /// The slots of each entry of `deployments`.
  let deploymentCandidates: [CandidateSlots]
  /// The provider's slot for each of `directory.names`; `Slot.none` where it has no budget.
  let directorySlots: [Int32]
  /// A model group's name to its position in `groups`.
  let groupIndexes: NameTable
  let groups: [Range<Int>]
  /// Positions in `deployments`, group after group, each in the file's order.
  let groupMembers: [Int32]
  /// A slot to its position in `budgets`; -1 for slots of budgets no longer in force.
  let budgetIndexes: [Int32]
  /// A slot to its limit; `unlimited` where there is none, or the budget is no longer in force.
  let limits: [PicoUSD]

  /// The gates of every slot there is, block by block.
  private let gates: [SlotGates]
  /// What the gate of a slot says that cannot deny under this configuration.
  private let openGate: UInt64

  /// A limit that no spend reaches.
  static let unlimited = PicoUSD(pico: .max)

  /// Builds the tables. `slots` are those of `configuration.budgets`, in the same order.
  init(
    generation: UInt64, configuration: BudgetConfiguration, slots: [Int32], slotCount: Int,
    gates: [SlotGates]
  ) {
    self.generation = generation
    self.gates = gates
    openGate = SlotGates.open(generation: generation)
    directory = configuration.directory
    var budgets: [CatalogBudget] = []
    budgets.reserveCapacity(slots.count)
    var budgetIndexes = [Int32](repeating: -1, count: slotCount)
    var limits = [PicoUSD](repeating: Self.unlimited, count: slotCount)
    for (definition, slot) in zip(configuration.budgets, slots) {
      if let limit = definition.limit { limits[Int(slot)] = limit }
      budgetIndexes[Int(slot)] = Int32(budgets.count)
      budgets.append(CatalogBudget(slot: slot, definition: definition))
    }
    var scopeRanges: [Range<Int>] = []
    for scope in BudgetScope.allCases {
      let start = scopeRanges.last?.upperBound ?? 0
      let end =
        budgets[start...].firstIndex { $0.definition.key.scope != scope } ?? budgets.count
      scopeRanges.append(start..<end)
    }
    precondition(
      scopeRanges.last?.upperBound == budgets.count, "budgets come scope by scope, in order")
    self.scopeRanges = scopeRanges
    func slotsOf(_ scope: BudgetScope) -> NameTable {
      NameTable(
        budgets.lazy.filter { $0.definition.key.scope == scope }
          .map { (name: $0.definition.key.name, value: $0.slot) })
    }
    let providerSlots = slotsOf(.provider)
    let deploymentSlots = slotsOf(.deployment)
    func slot(ofProvider provider: String?) -> Int32 {
      guard let provider else { return Slot.none }
      return NameBytes.with(provider) { providerSlots[$0] } ?? Slot.none
    }
    var seen: Set<ExactText> = []
    let deployments = configuration.deployments.filter {
      seen.insert(ExactText($0.id)).inserted
    }
    self.budgets = budgets
    self.budgetIndexes = budgetIndexes
    self.limits = limits
    self.providerSlots = providerSlots
    self.deployments = deployments
    tagSlots = slotsOf(.tag)
    deploymentIndexes = NameTable(
      deployments.enumerated().map { (name: $1.id, value: Int32($0)) })
    deploymentCandidates = deployments.map { deployment in
      CandidateSlots(
        provider: slot(ofProvider: deployment.provider),
        deployment: NameBytes.with(deployment.id) { deploymentSlots[$0] } ?? Slot.none,
        hasProvider: deployment.provider != nil)
    }
    directorySlots = directory.names.map { slot(ofProvider: $0) }
    (groupIndexes, groups, groupMembers) = Self.groups(of: deployments)
  }

  /// The budget of `slot`, or nil where it is no longer in force.
  func budget(ofSlot slot: Int32) -> CatalogBudget? {
    let index = budgetIndexes[Int(slot)]
    return index < 0 ? nil : budgets[Int(index)]
  }

  /// Whether the budget of `slot`, a slot in force, denies no request that names no estimate. One
  /// atomic load; false says only that a closer look is needed.
  @inline(__always)
  func isOpen(_ slot: Int32) -> Bool {
    gates[Int(slot) >> SlotGates.shift].isOpen(Int(slot) & (SlotGates.count - 1), openGate)
  }

  /// The budgets of one scope, in the file's order.
  public func budgets(_ scope: BudgetScope) -> ArraySlice<CatalogBudget> {
    budgets[scopeRanges[Int(scope.rawValue) - 1]]
  }

  private static func groups(
    of deployments: [ConfiguredDeployment]
  ) -> (NameTable, [Range<Int>], [Int32]) {
    var positions: [ExactText: Int] = [:]
    var names: [String] = []
    var members: [[Int32]] = []
    for (index, deployment) in deployments.enumerated() {
      let name = ExactText(deployment.modelName)
      let position = positions[name] ?? names.count
      if position == names.count {
        positions[name] = position
        names.append(deployment.modelName)
        members.append([])
      }
      members[position].append(Int32(index))
    }
    var flat: [Int32] = []
    var ranges: [Range<Int>] = []
    for group in members {
      ranges.append(flat.count..<flat.count + group.count)
      flat += group
    }
    let table = NameTable(names.enumerated().map { (name: $1, value: Int32($0)) })
    return (table, ranges, flat)
  }
}

/// One budget in force.
public struct CatalogBudget: Sendable {
  /// The budget's slot.
  public let slot: Int32
  /// What the configuration says of it.
  public let definition: BudgetDefinition
}

/// The slots that a candidate is checked against.
public struct CandidateSlots: Hashable, Sendable {
  /// The provider's budget, or `Slot.none`.
  var provider: Int32
  /// The deployment's budget, or `Slot.none`.
  var deployment: Int32
  /// Whether a provider was named or derived, budgeted or not.
  public var hasProvider: Bool

  /// Whether the provider has a budget.
  public var hasProviderBudget: Bool { provider != Slot.none }
  /// Whether the deployment has a budget.
  public var hasDeploymentBudget: Bool { deployment != Slot.none }
}

/// The number of a budget's state, for the life of the process.
enum Slot {
  /// No budget.
  static let none: Int32 = -1
}
