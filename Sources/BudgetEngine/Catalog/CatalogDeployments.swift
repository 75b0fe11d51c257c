public import BudgetModel

/// The entries of the model list, in the file's order: 20 bytes each, put together when asked for.
///
/// Model groups, models and providers are texts that many entries share; ids lie in the pool of the
/// budgets' names where every entry has a budget.
public struct CatalogDeployments: RandomAccessCollection, Sendable {
  struct Entry: Sendable {
    var id: NamePool.Name
    var slot: Int32
    var group: Int32
    var model: Int32
    /// -1: none.
    var provider: Int32
  }

  let entries: [Entry]
  /// An id to its position.
  let indexes: NameTable
  /// A model group's name to its position in `groups`.
  let groupIndexes: NameTable
  private let groups: [Range<Int>]
  /// Positions, group after group, each in the file's order.
  private let members: [Int32]
  /// Positions of those that cost nothing.
  private let free: Set<Int32>
  private let modelNames: [String]
  private let models: [String]
  private let modelIndexes: NameTable
  private let modelRanges: [Range<Int>]
  /// Positions, model after model, each in the file's order.
  private let modelMembers: [Int32]
  /// The providers that entries name, each once.
  let providers: [String]

  /// Texts by number, each once.
  private struct Texts {
    var texts: [String] = []
    private var numbers: [ExactText: Int32] = [:]
    private var last: Int32 = -1

    mutating func number(of text: String) -> Int32 {
      // Neighbours in a file mostly have the same.
      if last >= 0, ExactText(texts[Int(last)]) == ExactText(text) { return last }
      if let number = numbers[ExactText(text)] {
        last = number
        return number
      }
      last = Int32(texts.count)
      texts.append(text)
      numbers[ExactText(text)] = last
      return last
    }
  }

  /// `slots` has the slots of deployments' budgets, by id.
  init(_ deployments: [ConfiguredDeployment], slots: NameTable, keys: SlotKeys) {
    let own = deployments.map { deployment in
      NameBytes.with(deployment.id) { slots[$0] } ?? Slot.none
    }
    let isShared = !own.contains(Slot.none)
    var indexes = NameTable(
      capacity: deployments.count, pool: isShared ? keys.names : NamePool())
    var modelNames = Texts()
    var models = Texts()
    var providers = Texts()
    var entries: [Entry] = []
    var free: Set<Int32> = []
    entries.reserveCapacity(deployments.count)
    for (deployment, slot) in zip(deployments, own) {
      let position = Int32(entries.count)
      let id: NamePool.Name?
      if isShared {
        let name = keys.name(of: slot)
        id = indexes.insert(name, value: position) ? name : nil
      } else {
        id = NameBytes.with(deployment.id) { indexes.insert($0, value: position) }
      }
      guard let id else { continue }
      if deployment.isFree { free.insert(position) }
      entries.append(
        Entry(
          id: id, slot: slot, group: modelNames.number(of: deployment.modelName),
          model: models.number(of: deployment.model),
          provider: deployment.provider.map { providers.number(of: $0) } ?? -1))
    }
    self.entries = entries
    self.free = free
    self.indexes = indexes
    self.modelNames = modelNames.texts
    self.models = models.texts
    self.providers = providers.texts
    let groupNames = modelNames.texts
    groupIndexes = NameTable(groupNames.enumerated().map { (name: $1, value: Int32($0)) })
    (groups, members) = Self.groups(of: entries.map(\.group), count: groupNames.count)
    modelIndexes = NameTable(models.texts.enumerated().map { (name: $1, value: Int32($0)) })
    (modelRanges, modelMembers) = Self.groups(
      of: entries.map(\.model), count: models.texts.count)
  }

  /// Sorts the positions by number of group or model: counts, then places.
  private static func groups(of numbers: [Int32], count: Int) -> ([Range<Int>], [Int32]) {
    var sizes = [Int](repeating: 0, count: count)
    for number in numbers { sizes[Int(number)] += 1 }
    var ranges: [Range<Int>] = []
    for size in sizes {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + size)
    }
    var next = ranges.map(\.lowerBound)
    var members = [Int32](repeating: 0, count: numbers.count)
    for (position, number) in numbers.enumerated() {
      members[next[Int(number)]] = Int32(position)
      next[Int(number)] += 1
    }
    return (ranges, members)
  }

  /// 0.
  public var startIndex: Int { 0 }
  /// How many entries there are.
  public var endIndex: Int { entries.count }

  /// The entry at a position.
  public subscript(index: Int) -> ConfiguredDeployment {
    let entry = entries[index]
    return ConfiguredDeployment(
      id: indexes.pool.text(of: entry.id), modelName: modelName(at: index), model: model(at: index),
      provider: provider(at: index), isFree: isFree(at: index))
  }

  /// Whether the entry at `index` costs nothing.
  public func isFree(at index: Int) -> Bool { !free.isEmpty && free.contains(Int32(index)) }

  /// Calls `body` with the id of the entry at `index`; no text is built.
  public func withID<Result>(at index: Int, _ body: (NameBytes) -> Result) -> Result {
    indexes.pool.with(entries[index].id, body)
  }

  /// The model group of the entry at `index`.
  public func modelName(at index: Int) -> String { modelNames[Int(entries[index].group)] }

  /// The `litellm_params.model` of the entry at `index`.
  public func model(at index: Int) -> String { models[Int(entries[index].model)] }

  /// The provider of the entry at `index`; nil where no rule names one.
  public func provider(at index: Int) -> String? {
    let provider = entries[index].provider
    return provider < 0 ? nil : providers[Int(provider)]
  }

  /// The names of all model groups, in the file's order.
  var groupNames: [String] { modelNames }

  /// The positions of the entries whose own model this is.
  func members(ofModel model: String) -> ArraySlice<Int32>? {
    NameBytes.with(model) { modelIndexes[$0] }.map { modelMembers[modelRanges[Int($0)]] }
  }

  /// The positions of the entries of group number `index`.
  func members(ofGroup index: Int32) -> ArraySlice<Int32> { members[groups[Int(index)]] }
}

extension CatalogDeployments: ModelNames {
  /// Whether a model group has the name.
  public func hasGroup(_ name: String) -> Bool {
    NameBytes.with(name) { groupIndexes[$0] } != nil
  }

  /// Whether a deployment has the id.
  public func hasDeployment(id: String) -> Bool { NameBytes.with(id) { indexes[$0] } != nil }

  /// Whether a deployment's own model is this.
  public func hasModel(_ model: String) -> Bool { members(ofModel: model) != nil }
}
