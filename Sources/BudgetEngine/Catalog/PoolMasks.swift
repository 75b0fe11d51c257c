import BudgetModel

/// Which pools a name belongs to, as one bit for each: there are at most 64.
struct PoolMasks: Sendable {
  /// A name to its place in `masks`.
  private let names: NameTable
  private let masks: [UInt64]
  /// The beginnings that patterns name, and the pools that have them.
  private let prefixes: [(prefix: [UInt8], mask: UInt64)]

  /// No pool at all.
  static let none = PoolMasks([])

  /// `members` lists names and patterns, each with the bit of its pool.
  init(_ members: [(name: String, pool: UInt64)]) {
    var numbers: [ExactText: Int] = [:]
    var texts: [String] = []
    var masks: [UInt64] = []
    var prefixes: [(prefix: [UInt8], mask: UInt64)] = []
    for (name, pool) in members {
      if name.utf8.last == UInt8(ascii: "*") {
        prefixes.append((Array(name.utf8.dropLast()), pool))
      } else if let number = numbers[ExactText(name)] {
        masks[number] |= pool
      } else {
        numbers[ExactText(name)] = texts.count
        texts.append(name)
        masks.append(pool)
      }
    }
    names = NameTable(texts.enumerated().map { (name: $1, value: Int32($0)) })
    self.masks = masks
    self.prefixes = prefixes
  }

  var isEmpty: Bool { masks.isEmpty && prefixes.isEmpty }

  /// The pools of `name`; none for an absent one.
  func pools(of name: NameBytes) -> UInt64 {
    if name.isEmpty { return 0 }
    var pools = names[name].map { masks[Int($0)] } ?? 0
    for (prefix, mask) in prefixes
    where name.count >= prefix.count && name[0..<prefix.count].isEqual(to: prefix, from: 0) {
      pools |= mask
    }
    return pools
  }
}

/// The pools of a configuration.
struct CatalogPools: Sendable {
  /// The first slot of each pool's budgets, by the number of its bit.
  let slots: [Int32]
  let providers: PoolMasks
  let models: PoolMasks
  let deployments: PoolMasks

  /// `slotOf` tells the first slot of a pool's budgets.
  init(_ pools: [PoolMembers], slotOf: (String) -> Int32?) {
    precondition(pools.count <= PoolMembers.maximumCount, "more pools than bits")
    slots = pools.map { slotOf($0.name) ?? Slot.none }
    func masks(_ members: (PoolMembers) -> [String]) -> PoolMasks {
      PoolMasks(
        pools.enumerated().flatMap { number, pool in
          members(pool).map { (name: $0, pool: UInt64(1) << UInt64(number)) }
        })
    }
    providers = masks(\.providers)
    models = masks(\.models)
    deployments = masks(\.deployments)
  }

  var isEmpty: Bool { slots.isEmpty }

  /// Calls `body` with the first slot of each pool in `pools`, a bit each.
  func forEachSlot(of pools: UInt64, _ body: (Int32) -> Void) {
    var rest = pools
    while rest != 0 {
      let slot = slots[rest.trailingZeroBitCount]
      if slot != Slot.none { body(slot) }
      rest &= rest - 1
    }
  }
}
